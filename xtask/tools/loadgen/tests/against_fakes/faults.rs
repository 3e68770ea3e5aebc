//! Servers with one fault: it is counted without --strict, and named with it.

use crate::fake::{Fake, Fault};
use std::time::Duration;
use ukl_loadgen::{Errors, Failure, Protocol, Ratio, Settings, Workload, run};

const BOTH: [Protocol; 2] = [Protocol::Redis, Protocol::Memcached];

/// Reads only, so that the request with the fault is a read: 100 keys are written before.
fn settings(fake: &Fake, protocol: Protocol, strict: bool) -> Settings {
    Settings { workload: Workload::Mix(Ratio { gets: 1, sets: 0 }), strict, ..fake.settings(protocol, 500) }
}

/// What is counted without --strict, and what is said with it.
fn both_ways(protocol: Protocol, fault: Fault) -> (Errors, String) {
    let fake = Fake::faulty(protocol, 300, fault);
    let report = run(&settings(&fake, protocol, false)).unwrap();
    let results = &report.results;
    assert_eq!(results.requests, 500);
    assert_eq!(results.completed + results.errors.total(), 500);
    let fake = Fake::faulty(protocol, 300, fault);
    let error = run(&settings(&fake, protocol, true)).unwrap_err();
    assert!(!Failure::within(&error).unwrap().is_usage());
    (report.results.errors, error.to_string())
}

#[test]
fn an_error_answer() {
    for protocol in BOTH {
        let (errors, text) = both_ways(protocol, Fault::Error);
        assert_eq!((errors.error_answers, errors.total()), (1, 1));
        assert!(text.contains("the read of key:") && text.contains("made up"), "{text}");
    }
}

#[test]
fn a_wrong_value() {
    for protocol in BOTH {
        let (errors, text) = both_ways(protocol, Fault::WrongValue);
        assert_eq!((errors.wrong_answers, errors.total()), (1, 1));
        assert!(text.contains("a value of 3 bytes, \"abc\"; expected was the value of 64 bytes"), "{text}");
    }
}

#[test]
fn a_short_answer_and_nonsense_cost_the_connection() {
    for protocol in BOTH {
        let (errors, text) = both_ways(protocol, Fault::ShortAnswer);
        assert_eq!((errors.lost_requests, errors.lost_connections, errors.total()), (1, 1, 1));
        assert!(text.contains("the server closed the connection, with 1 requests unanswered"), "{text}");
        let (errors, text) = both_ways(protocol, Fault::Nonsense);
        assert_eq!((errors.lost_requests, errors.lost_connections), (1, 1));
        assert!(text.contains("HTTP/1.1 400"), "{text}");
    }
}

#[test]
fn a_server_that_falls_silent_ends_the_run() {
    let fake = Fake::faulty(Protocol::Redis, 300, Fault::Silence);
    let error = run(&Settings { answer_deadline_s: 1, ..settings(&fake, Protocol::Redis, false) }).unwrap_err();
    assert_eq!(error.to_string(), "the server answered none of 1 requests for 1 s");
}

#[test]
fn a_fault_while_the_keys_are_written_ends_the_run_always() {
    let fake = Fake::faulty(Protocol::Redis, 50, Fault::Error);
    let error = run(&settings(&fake, Protocol::Redis, false)).unwrap_err();
    assert!(format!("{error:#}").contains("1 of 100 keys could not be written"), "{error:#}");
}

#[test]
fn the_last_connection_that_is_lost_ends_the_run() {
    let fake = Fake::faulty(Protocol::Redis, 300, Fault::ShortAnswer);
    let one = Settings { connections: 1, ..settings(&fake, Protocol::Redis, false) };
    let error = run(&one).unwrap_err();
    assert!(error.to_string().starts_with("all 1 connections of a thread are lost: connection 0:"), "{error}");
}

#[test]
fn a_failure_of_one_thread_stops_the_others() {
    let fake = Fake::faulty(Protocol::Redis, 300, Fault::Error);
    let endless = Settings {
        threads: 3,
        amount: ukl_loadgen::Amount::DurationS(600.0),
        ..settings(&fake, Protocol::Redis, true)
    };
    assert!(run(&endless).unwrap_err().to_string().contains("made up"));
}

#[test]
fn a_stall_that_ends_in_time_is_no_error() {
    let fake = Fake::faulty(Protocol::Redis, 300, Fault::Stall(Duration::from_millis(50)));
    assert_eq!(run(&settings(&fake, Protocol::Redis, true)).unwrap().results.completed, 500);
}
