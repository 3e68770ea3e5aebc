//! Loads on servers that do what they should.

use crate::fake::Fake;
use ukl_loadgen::{Amount, KeyDistribution, Protocol, Ratio, Results, Settings, Workload, run};

const BOTH: [Protocol; 2] = [Protocol::Redis, Protocol::Memcached];

fn measured(settings: &Settings) -> Results {
    let report = run(settings).unwrap();
    assert_eq!(report.results.errors.total(), 0, "{:?}", report.results.errors);
    assert_eq!(report.results.completed, report.results.requests);
    report.results
}

#[test]
fn every_request_is_made_once_and_answered() {
    for protocol in BOTH {
        for (threads, pipeline) in [(1, 1), (1, 16), (3, 1), (3, 5)] {
            let fake = Fake::start(protocol);
            let settings = Settings { threads, pipeline, warmup_requests: 50, ..fake.settings(protocol, 1001) };
            let results = measured(&settings);
            assert_eq!((results.requests, results.hits, results.misses), (1001, results.gets, 0));
            assert_eq!(results.latency.unwrap().samples, 1001);
            let state = fake.state.lock().unwrap();
            // The keys and the warm-up come on top.
            assert_eq!(state.gets + state.sets, 1001 + 100 + 50, "{protocol:?} {threads} threads, pipeline {pipeline}");
            assert_eq!(state.map.len(), 100);
        }
    }
}

#[test]
fn an_echo_brings_every_value_back_and_nothing_is_written_before() {
    let fake = Fake::start(Protocol::Echo);
    let workload = Workload::Mix(Ratio { gets: 1, sets: 0 });
    let settings = Settings { workload, pipeline: 4, warmup_requests: 50, ..fake.settings(Protocol::Echo, 1001) };
    let results = measured(&settings);
    assert_eq!((results.requests, results.hits), (1001, 1001));
    assert_eq!(fake.state.lock().unwrap().gets, 1001 + 50);
}

#[test]
fn answers_in_pieces_of_one_byte_are_understood() {
    for protocol in BOTH {
        let fake = Fake::dribbling(protocol);
        assert_eq!(measured(&Settings { pipeline: 4, ..fake.settings(protocol, 200) }).requests, 200);
    }
}

#[test]
fn bytes_are_counted_as_they_are_on_the_wire() {
    let fake = Fake::start(Protocol::Redis);
    let reads = Workload::Mix(Ratio { gets: 1, sets: 0 });
    let results = measured(&Settings { workload: reads, value_bytes: 10, ..fake.settings(Protocol::Redis, 100) });
    assert_eq!(results.sent_bytes, 100 * "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n".len() as u64);
    assert_eq!(results.received_bytes, 100 * "$10\r\n0123456789\r\n".len() as u64);
}

#[test]
fn without_keys_there_are_misses() {
    for protocol in BOTH {
        let fake = Fake::start(protocol);
        let reads = Workload::Mix(Ratio { gets: 1, sets: 0 });
        let results = measured(&Settings { workload: reads, populate: false, ..fake.settings(protocol, 100) });
        assert_eq!((results.hits, results.misses), (0, 100));
    }
}

#[test]
fn large_values_and_more_connections_than_requests() {
    for protocol in BOTH {
        let fake = Fake::start(protocol);
        let settings = Settings { value_bytes: 3_000_000, keys: 3, pipeline: 2, ..fake.settings(protocol, 20) };
        measured(&Settings { workload: Workload::Mix(Ratio { gets: 1, sets: 1 }), ..settings });
        measured(&Settings { connections: 30, ..fake.settings(protocol, 5) });
    }
}

#[test]
fn three_hundred_connections_on_few_threads() {
    let fake = Fake::start(Protocol::Redis);
    let settings = Settings { connections: 300, threads: 1, ..fake.settings(Protocol::Redis, 6000) };
    assert_eq!(measured(&settings).requests, 6000);
}

#[test]
fn a_duration_ends_the_run_and_zipf_prefers_few_keys() {
    let fake = Fake::start(Protocol::Memcached);
    let settings = Settings {
        amount: Amount::DurationS(0.3),
        key_distribution: KeyDistribution::Zipf { exponent: 0.99 },
        ..fake.settings(Protocol::Memcached, 1)
    };
    let results = measured(&settings);
    assert!(results.duration_s >= 0.3 && results.duration_s < 5.0, "{} s", results.duration_s);
    assert!(results.requests > 100);
}

#[test]
fn commands_are_sent_as_they_are_given() {
    let fake = Fake::start(Protocol::Redis);
    for command in ["INCR count:{key}", "LPUSH list {value}"] {
        let workload = Workload::Command(command.to_owned());
        let results = measured(&Settings { workload, ..fake.settings(Protocol::Redis, 100) });
        assert_eq!((results.commands, results.gets, results.sets), (100, 0, 0));
    }
    assert_eq!(fake.state.lock().unwrap().others, 200);
}

#[test]
fn without_latencies_nothing_is_timed_and_marks_do_no_harm() {
    let fake = Fake::start(Protocol::Redis);
    let settings = Settings { latency: false, mark: true, ..fake.settings(Protocol::Redis, 500) };
    let results = measured(&settings);
    assert_eq!((results.requests, results.latency), (500, None));
}

#[test]
fn a_seed_determines_what_is_asked() {
    let asked = |seed| {
        let fake = Fake::start(Protocol::Redis);
        let results = measured(&Settings { seed, ..fake.settings(Protocol::Redis, 1000) });
        (results.gets, results.sets, results.sent_bytes, results.received_bytes)
    };
    assert_eq!(asked(3), asked(3));
    assert_ne!(asked(3), asked(4));
}
