//! Whatever happens to a message, all three parties end with an error, or all three with the right answer.

use super::proxy::{Deed, Fault, Proxies};
use super::{at_once, listeners};
use crate::error::{Error, Result};
use crate::link::Waiting;
use crate::net::{Net, after, before};
use crate::party::Randomness;
use crate::prg::Prg;
use crate::query::{Query, Work};
use crate::run::{Report, take_part};
use crate::table::Plain;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Every kind of round in few messages: ANDs, a shuffle, an opening, and the confirmation at the end.
const WORK: Work = Work { query: Query::Select, rows: 40, seed: 5, message_words: None };
/// Far longer than a run takes, where a fault is to be found by what arrives.
const LONG: Duration = Duration::from_secs(20);
/// Where nothing arrives.
const SHORT: Duration = Duration::from_millis(300);

struct Outcome {
    parties: [Result<(Plain, Report)>; 3],
    /// Whether the message that the fault is about was sent.
    happened: bool,
    counts: [[u64; 3]; 3],
}

fn run(fault: Option<Fault>, deadline: Duration, spin: bool) -> Outcome {
    let listeners = listeners();
    let proxies = Proxies::new(&listeners, fault);
    let waiting = Waiting { deadline, spin };
    let parties = at_once(listeners, |id, listener| {
        let net = Net::connect(id, &listener, proxies.seen_by(id), WORK.digest(), waiting)?;
        // What the answer is compared with comes after: here it must not be the check that finds a fault.
        take_part(net, WORK, false, spin, Randomness::System)
    });
    let happened = proxies.done.load(Ordering::SeqCst);
    let counts = [0, 1, 2].map(|from| [0, 1, 2].map(|to| proxies.count(from, to)));
    Outcome { parties, happened, counts }
}

fn assert_right(outcome: &Outcome, what: &str) {
    for (id, party) in outcome.parties.iter().enumerate() {
        match party {
            Ok((answer, _)) => assert_eq!(*answer, WORK.oracle(), "{what}: party {id}"),
            Err(error) => panic!("{what}: party {id}: {error}"),
        }
    }
}

/// The errors of all three.
fn assert_failed<'a>(outcome: &'a Outcome, what: &str) -> [&'a Error; 3] {
    outcome.parties.each_ref().map(|party| match party {
        Ok(_) => panic!("{what}: a party has an answer"),
        Err(error) => error,
    })
}

/// Whether an error says that what arrived is not what was sent.
fn tells_of_content(error: &Error) -> bool {
    use Error::{Corrupt, Foreign, Length, Sequence};
    matches!(error, Corrupt { .. } | Foreign { .. } | Length { .. } | Sequence { .. })
}

/// Who has no connection yet cannot be told: without a sound hello the third party waits as long as it may.
fn deadline(fault: Fault) -> Duration {
    if fault.index == 0 { SHORT } else { LONG }
}

/// Messages at random, and those at the ends: the hello, the key, and the two before the end.
fn places(deed: impl Fn(&mut Prg) -> Deed) -> Vec<Fault> {
    let counts = run(None, LONG, false).counts;
    let mut prg = Prg::from_seed(31, "faults", 0);
    let mut faults = Vec::new();
    for (from, counts) in counts.into_iter().enumerate() {
        for to in [before(from), after(from)] {
            let count = counts[to];
            assert!(count > 2, "{count} messages from {from} to {to}");
            for index in [0, 1, prg.below(count), count - 2, count - 1] {
                faults.push(Fault { from, to, index, deed: deed(&mut prg) });
            }
        }
    }
    faults
}

#[test]
fn without_a_fault_the_proxies_change_nothing() {
    for spin in [false, true] {
        let outcome = run(None, LONG, spin);
        assert_right(&outcome, "no fault");
        // One hello and one confirmation in each direction at least, and a key in one.
        assert!((0..3).all(|from| outcome.counts[from][before(from)] > 20 && outcome.counts[from][after(from)] >= 3));
    }
}

#[test]
fn an_altered_bit_fails_all_parties_at_once() {
    for fault in places(|prg| Deed::Corrupt(prg.below(1 << 20) as usize)) {
        let outcome = run(Some(fault), deadline(fault), false);
        assert!(outcome.happened, "{fault:?}");
        let errors = assert_failed(&outcome, &format!("{fault:?}"));
        assert!(errors.iter().any(|error| tells_of_content(error)), "{fault:?}: {errors:?}");
    }
}

#[test]
fn an_altered_content_is_told_by_whom_it_came_from() {
    // A bit behind the header of a message in the middle.
    let fault = Fault { from: 1, to: 0, index: 8, deed: Deed::Corrupt(8 * 24 + 5) };
    let outcome = run(Some(fault), LONG, false);
    let errors = assert_failed(&outcome, "a bit of the content");
    assert!(matches!(errors[0], Error::Corrupt { peer: 1, sequence: 8, .. }), "{}", errors[0]);
    for error in &errors[1..] {
        assert!(error.to_string().contains("party 1: message 8 arrived altered"), "the cause is passed on: {error}");
    }
}

#[test]
fn a_repeated_message_fails_all_parties_or_changes_nothing() {
    for fault in places(|_| Deed::Duplicate) {
        let outcome = run(Some(fault), LONG, false);
        assert!(outcome.happened, "{fault:?}");
        // Behind the last message there is none that a repetition could be taken for.
        if outcome.parties.iter().all(Result::is_ok) {
            assert_right(&outcome, &format!("{fault:?}"));
            assert_eq!(fault.index, outcome.counts[fault.from][fault.to] - 1, "{fault:?} was not noticed");
        } else {
            assert_failed(&outcome, &format!("{fault:?}"));
        }
    }
}

#[test]
fn a_message_that_is_overtaken_fails_all_parties() {
    for fault in places(|_| Deed::Swap) {
        // Where a message is held back, its sender may wait for an answer before it sends the next: the deadline.
        let outcome = run(Some(fault), SHORT, false);
        assert!(outcome.happened, "{fault:?}");
        assert_failed(&outcome, &format!("{fault:?}"));
    }
}

#[test]
fn a_lost_message_fails_all_parties_within_the_deadline() {
    for (at, fault) in places(|_| Deed::Drop).into_iter().enumerate() {
        let outcome = run(Some(fault), SHORT, at % 2 == 1);
        assert!(outcome.happened, "{fault:?}");
        let errors = assert_failed(&outcome, &format!("{fault:?}"));
        // Or earlier, where the sender went on and what it sent next, or the end of the connection, arrived instead.
        let is_late =
            |error: &Error| matches!(error, Error::Timeout { .. } | Error::Absent { .. } | Error::Closed { .. });
        assert!(errors.iter().any(|error| is_late(error) || tells_of_content(error)), "{fault:?}: {errors:?}");
    }
}

#[test]
fn a_late_message_fails_all_parties_if_it_is_later_than_the_deadline() {
    for fault in places(|_| Deed::Delay(4 * SHORT)).into_iter().step_by(3) {
        let outcome = run(Some(fault), SHORT, false);
        assert!(outcome.happened, "{fault:?}");
        assert_failed(&outcome, &format!("{fault:?}"));
    }
}

#[test]
fn a_late_message_changes_nothing_within_the_deadline() {
    for fault in places(|_| Deed::Delay(Duration::from_millis(50))).into_iter().step_by(3) {
        let outcome = run(Some(fault), LONG, false);
        assert!(outcome.happened, "{fault:?}");
        assert_right(&outcome, &format!("{fault:?}"));
    }
}

#[test]
fn a_broken_connection_fails_all_parties_at_once() {
    for fault in places(|_| Deed::Cut).into_iter().step_by(2) {
        let outcome = run(Some(fault), deadline(fault), false);
        assert!(outcome.happened, "{fault:?}");
        assert_failed(&outcome, &format!("{fault:?}"));
    }
}

#[test]
fn parties_with_other_work_refuse_each_other() {
    let listeners = listeners();
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let waiting = Waiting { deadline: SHORT, spin: false };
    let outcomes = at_once(listeners, |id, listener| {
        Net::connect(id, &listener, addresses, u64::from(id == 2), waiting).map(|_| ())
    });
    let errors = outcomes.map(|outcome| outcome.unwrap_err().to_string());
    assert!(
        errors[2].contains("was started with another query, rows, seed or size of messages: 0, expected 1"),
        "{}",
        errors[2]
    );
}

#[test]
fn a_party_that_never_comes_is_named() {
    let listeners = listeners();
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let waiting = Waiting { deadline: SHORT, spin: false };
    let outcomes = at_once(listeners, |id, listener| {
        if id == 2 {
            return Ok(());
        }
        Net::connect(id, &listener, addresses, 0, waiting).map(|_| ())
    });
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "party 2 did not connect within 300 ms");
}

#[test]
fn parties_that_opened_different_results_say_so() {
    let outcomes = {
        let listeners = listeners();
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let waiting = Waiting { deadline: LONG, spin: false };
        at_once(listeners, |id, listener| {
            let mut net = Net::connect(id, &listener, addresses, 0, waiting)?;
            let finished = net.finish(u64::from(id == 1));
            finished.inspect_err(|error| net.abort(error))
        })
    };
    let errors = outcomes.map(Result::unwrap_err);
    assert!(errors.iter().any(|error| matches!(error, Error::Disagreement { .. })), "{errors:?}");
}

#[test]
fn a_message_that_trickles_in_has_one_deadline() {
    let fault = Fault { from: 1, to: 0, index: 5, deed: Deed::Trickle(Duration::from_millis(20)) };
    let outcome = run(Some(fault), SHORT, false);
    let errors = assert_failed(&outcome, "a byte at a time");
    assert!(errors.iter().any(|error| matches!(error, Error::Timeout { .. })), "{errors:?}");
}
