//! The program as a shell would start it.

use crate::fake::Fake;
use std::process::{Command, Output};
use ukl_loadgen::{Protocol, Report};

fn loadgen(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ukl-loadgen")).args(arguments.split_whitespace()).output().unwrap()
}

/// What a command that makes no sense says.
fn refused(arguments: &str) -> String {
    let output = loadgen(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn bad_arguments_are_named_with_their_value_and_what_would_do() {
    for (arguments, value, remedy) in [
        ("run --requests 1", "--target <HOST:PORT>", "--help"),
        ("run --target 127.0.0.1:1", "neither --requests nor --duration-s", "--duration-s 10"),
        ("run --target localhost --requests 1", "`localhost`", "--target HOST:PORT, such as 127.0.0.1:6379"),
        ("run --target 127.0.0.1:1 --requests 0", "0 requests", "--requests 1 or more"),
        ("run --target 127.0.0.1:1 --duration-s -1", "-1", "--help"),
        ("run --target 127.0.0.1:1 --duration-s 0", "0 s", "--duration-s more than 0"),
        ("run --target 127.0.0.1:1 --requests 1 --ratio 0:0", "'0:0'", "such as 10:1"),
        ("run --target 127.0.0.1:1 --requests 1 --ratio half", "'half'", "GETS:SETS"),
        ("run --target 127.0.0.1:1 --requests 1 --rate 0", "0 requests/s", "--rate more than 0"),
        ("run --target 127.0.0.1:1 --requests 1 --rate 5 --no-latency", "5 requests/s", "leave out --no-latency"),
        ("run --target 127.0.0.1:1 --requests 1 --connections 0", "'0'", "1.."),
        ("run --target 127.0.0.1:1 --requests 1 --threads 51", "51 threads", "--connections"),
        ("run --target 127.0.0.1:1 --requests 1 --protocol http", "'http'", "redis, memcached"),
        ("search --target 127.0.0.1:1 --p99-limit-us 0", "0 µs", "--p99-limit-us more than 0"),
        ("compare --target localhost", "`localhost`", "--target HOST:PORT"),
    ] {
        let text = refused(arguments);
        assert!(text.contains(value) && text.contains(remedy), "{arguments}: {text}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    // Port 1 is reserved for a service that nobody runs any more.
    let output = loadgen("run --target 127.0.0.1:1 --requests 1");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("connection 1 of 50 to 127.0.0.1:1 failed"), "{text}");
    assert!(text.contains("next: start the server"), "{text}");
}

#[test]
fn results_as_json_and_as_a_table() {
    let fake = Fake::start(Protocol::Memcached);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("results.json");
    let load = format!(
        "run --protocol memcached --target {} --connections 3 --threads 1 --pipeline 2 --ratio 3:1 --value-bytes 32 \
         --keys 50 --requests 400 --warmup-requests 20 --seed 9 --connect-pace-ms 1 --no-latency --mark --strict --json",
        fake.address
    );
    let output = loadgen(&format!("{load} {}", file.display()));
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("requests    400 in") && table.contains("errors      0:"), "{table}");
    let report: Report = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((report.results.requests, report.settings.seed, report.settings.value_bytes), (400, 9, 32));

    let output = loadgen(&format!("{load} -"));
    let report: Report = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report.results.completed, 400);
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("requests    400 in"));
}
