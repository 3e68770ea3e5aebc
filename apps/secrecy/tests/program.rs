//! The program as a user runs it.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

fn secrecy(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secrecy"));
    command.args(arguments.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What is printed, as JSON, and it is one line.
fn report(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line = text(&output.stdout).strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    serde_json::from_str(line).unwrap()
}

/// Three addresses that are free now.
fn peers() -> String {
    let listeners = [0, 1, 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string()).join(",")
}

fn party(id: usize, peers: &str, rest: &str) -> Child {
    secrecy(&format!("party --id {id} --peers {peers} {rest}")).spawn().unwrap()
}

#[test]
fn three_processes_answer_every_query() {
    for query in ["group-by", "sort", "join", "semi-join", "select", "distinct"] {
        let peers = peers();
        // In the wrong order: each waits for the others.
        let parties = [2, 0, 1].map(|id| party(id, &peers, &format!("--query {query} --rows 20 --seed 3 --check")));
        let reports = parties.map(|party| report(&party.wait_with_output().unwrap()));
        for report in &reports {
            assert_eq!(
                (&report["query"], &report["rows"], &report["checked"]),
                (&query.into(), &20.into(), &true.into())
            );
            assert_eq!(report["rounds"], reports[0]["rounds"]);
            assert!(report["bytes_sent"].as_u64().unwrap() > 0 && report["elapsed_us"].as_u64().unwrap() > 0);
        }
    }
}

#[test]
fn a_local_run_is_three_parties_together() {
    let blocking = report(&secrecy("local --query group-by --rows 30 --check").output().unwrap());
    let spinning = report(&secrecy("local --query group-by --rows 30 --check --spin").output().unwrap());
    for field in ["rounds", "messages", "bytes_sent", "result_rows"] {
        assert_eq!(blocking[field], spinning[field], "{field}");
    }
    assert_eq!((&blocking["spin"], &spinning["spin"]), (&false.into(), &true.into()));
}

#[test]
fn messages_are_as_small_as_asked_for() {
    let whole = report(&secrecy("local --query group-by --rows 30 --check").output().unwrap());
    let small = report(&secrecy("local --query group-by --rows 30 --check --message-words 3").output().unwrap());
    let number = |report: &serde_json::Value, field: &str| report[field].as_u64().unwrap();
    // The same content, in messages of at most 24 bytes beside their headers of as many.
    let content = |report| number(report, "bytes_sent") - 24 * number(report, "messages");
    assert_eq!(content(&whole), content(&small));
    assert!(24 * number(&small, "messages") >= content(&small));
    assert!(number(&small, "rounds") > 3 * number(&whole, "rounds"));
    assert_eq!((&whole["message_words"], &small["message_words"]), (&serde_json::Value::Null, &3.into()));
}

#[test]
fn a_party_that_is_killed_fails_the_others_at_once() {
    let peers = peers();
    // So many rows that it has not ended when the party is killed.
    let work = "--query sort --rows 200000";
    let mut parties = [0, 1, 2].map(|id| party(id, &peers, work));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    parties[1].kill().unwrap();
    let outputs = parties.map(|party| party.wait_with_output().unwrap());
    for id in [0, 2] {
        assert_eq!(outputs[id].status.code(), Some(1));
        assert_eq!(text(&outputs[id].stdout), "", "no answer is printed");
        let error = text(&outputs[id].stderr);
        assert!(error.contains("party 1"), "{error}");
        assert!(error.contains("\n next: "), "{error}");
    }
}

#[test]
fn parties_started_for_different_queries_say_so() {
    let peers = peers();
    let work = |id| format!("--query sort --rows {} --deadline-ms 2000", if id == 1 { 5 } else { 6 });
    let parties = [0, 1, 2].map(|id| party(id, &peers, &work(id)));
    let errors = parties.map(|party| {
        let output = party.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr).to_owned()
    });
    assert!(
        errors.iter().any(|error| error.contains("was started with another query, rows, seed or size of messages")),
        "{errors:?}"
    );
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    for (arguments, said) in [
        ("local --query median --rows 5", "group-by, sort, join, semi-join, select, distinct"),
        ("local --query sort --rows 1048577", "1048577 is not in 0..=1048576"),
        ("local --query sort --rows 5 --message-words 0", "number would be zero"),
        ("party --id 3 --peers a:1,b:2,c:3 --query sort --rows 5", "3 is not in 0..3"),
        ("party --id 0 --peers 127.0.0.1:1,127.0.0.1:2 --query sort --rows 5", "2 addresses, expected 3"),
    ] {
        let output = secrecy(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(text(&output.stderr).contains(said), "{arguments}: {}", text(&output.stderr));
    }
    let output = secrecy("local --query join --rows 2000").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = "error: the number of pairs of rows to join is 4096000, at most 1048576\n next: ask for fewer rows\n";
    assert_eq!(text(&output.stderr), said);
}
