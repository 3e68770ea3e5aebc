//! Coordinated omission: a server that stalls once, for a tenth of the run, has kept a tenth of the requests waiting.

use crate::fake::{Fake, Fault};
use std::time::Duration;
use ukl_loadgen::search::{Goal, search_session};
use ukl_loadgen::{Amount, Arrivals, OpenLoop, Protocol, Results, Session, Settings, Workload, run};

const RATE: f64 = 1000.0;
const REQUESTS: u64 = 3000;
const STALL: Duration = Duration::from_millis(300);

fn measured(open_loop: Option<OpenLoop>) -> Results {
    let fake = Fake::faulty(Protocol::Redis, REQUESTS / 2, Fault::Stall(STALL));
    let settings = Settings { open_loop, populate: false, ..fake.settings(Protocol::Redis, REQUESTS) };
    run(&settings).unwrap().results
}

#[test]
fn an_open_loop_shows_the_stall_in_its_p99() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let results = measured(Some(OpenLoop { requests_per_s: RATE, arrivals }));
        assert_eq!(results.completed, REQUESTS);
        // A tenth of the requests belongs to the stall and waits for its rest: 1 in 100 waits at least nine tenths of it.
        let latency = results.latency.unwrap();
        assert!(latency.p99_us > 200_000.0, "{arrivals:?}: {latency:?}");
        // At 7 connections with one request each, most of them could not even be sent.
        assert!(results.send_lag.unwrap().p99_us > 150_000.0, "{arrivals:?}");
        // The schedule is kept: 3 s, and neither less nor, on a machine that is busy, much more.
        assert!(results.duration_s > 2.5 && results.duration_s < 6.0, "{arrivals:?}: {} s", results.duration_s);
    }
}

#[test]
fn a_closed_loop_does_not() {
    let latency = measured(None).latency.unwrap();
    assert!(latency.max_us >= 300_000.0, "{latency:?}");
    assert!(latency.p99_us < 100_000.0, "{latency:?}");
}

#[test]
fn threads_share_a_rate_and_a_duration_ends_it() {
    let fake = Fake::start(Protocol::Memcached);
    let settings = Settings {
        threads: 3,
        amount: Amount::DurationS(1.0),
        open_loop: Some(OpenLoop { requests_per_s: 2000.0, arrivals: Arrivals::Constant }),
        ..fake.settings(Protocol::Memcached, 1)
    };
    assert_eq!(run(&settings).unwrap().results.completed, 2000);
}

#[test]
fn a_search_ends_with_a_rate_that_holds() {
    let fake = Fake::start(Protocol::Redis);
    let settings = Settings {
        amount: Amount::DurationS(0.1),
        workload: Workload::Command("INCR count:{key}".to_owned()),
        ..fake.settings(Protocol::Redis, 1)
    };
    let goal = Goal {
        p99_limit_us: 100_000.0,
        start_requests_per_s: 250.0,
        max_requests_per_s: 1000.0,
        precision_percent: 10.0,
        repeats: 1,
    };
    let mut session = Session::open(&settings).unwrap();
    let found = search_session(goal, &mut session, Arrivals::Poisson, |_| ()).unwrap();
    assert!(found.requests_per_s >= 250.0 && found.steps.iter().any(|step| step.holds), "{found:?}");
}

#[test]
fn a_rate_far_above_what_the_server_does_is_given_up() {
    let fake = Fake::faulty(Protocol::Redis, 10, Fault::Stall(Duration::from_millis(500)));
    let settings = Settings { amount: Amount::DurationS(60.0), populate: false, ..fake.settings(Protocol::Redis, 1) };
    let mut session = Session::open(&settings).unwrap();
    let open_loop = OpenLoop { requests_per_s: RATE, arrivals: Arrivals::Constant };
    let results = session.measure_at(open_loop, Duration::from_millis(100)).unwrap();
    assert!(results.gave_up && results.duration_s < 30.0, "{results}");
}
