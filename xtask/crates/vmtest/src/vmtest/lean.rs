//! A server on the lean kernel profile, in a machine with little memory.

use super::suite::{Apps, Machines, Part, Quick, Suite, When, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use ukl_bench::lean::{self, Image, Options, Server};
use ukl_repo::config::{Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_run::resp::Client;

/// What the server has to make do with.
const MEMORY_MIB: u32 = 48;
/// For kernel and initramfs together.
const MAX_COMPRESSED_BYTES: u64 = 6_000_000;
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// Enough that memory in use grows by megabytes.
const KEYS: usize = 400;
/// The largest that an answer is shown with whole.
const VALUE_BYTES: usize = 8 << 10;

/// Two more kernels, so only when asked for.
pub(super) const SUITE: Suite = Suite {
    name: "lean",
    summary: "the smallest kernel that serves Redis, in 48 MiB",
    prefix: "lean/{level}/redis/",
    apps: Apps::One("redis"),
    machines: &[Machines { levels: Some(Levels::ReferenceAndDefault), cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| Ok(words(&["privilege", "serves-with-48-mib", "small-enough", "kernel-is-quiet"])),
    run,
};

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let (mut guest, image) = boot(ctx, &part.app, part.level()?)?;
    tally.check(&part.test("privilege"), lean::check_privilege(&mut guest.vm, &image.level));
    tally.check(&part.test("serves-with-48-mib"), serves(guest.port));
    tally.check(&part.test("small-enough"), small_enough(&image));
    let quiet = guest.vm.check_alive().map(|()| "no warning, oops or panic on the console".to_owned());
    tally.check(&part.test("kernel-is-quiet"), quiet);
    Ok(())
}

fn boot(ctx: &Ctx, app: &str, level: &Level) -> Result<(Server, Image)> {
    let image = Image::build(ctx, &ctx.repo.app(app)?, level, None)?;
    let options = Options { memory_mib: MEMORY_MIB, cpus: 1, console: true, counting: false };
    let mut guest = Server::start(ctx, &image, options)?;
    guest.first_answer()?;
    Ok((guest, image))
}

/// What one would ship.
fn small_enough(image: &Image) -> Result<String> {
    let bytes = image.compressed_bytes()?;
    ensure!(bytes <= MAX_COMPRESSED_BYTES, "{bytes} bytes compressed; at most {MAX_COMPRESSED_BYTES} were expected");
    Ok(format!("{bytes} bytes of bzImage and compressed initramfs with {MAX_COMPRESSED_BYTES}"))
}

/// PING, SET and GET, values that add up to megabytes, and a fork.
fn serves(port: u16) -> Result<String> {
    let mut client = Client::connect(port, ANSWER_DEADLINE)?;
    let mut ask = |line: &str| client.text(line).map(|answer| answer.to_string());
    for (line, expected) in [("PING", "PONG"), ("SET greeting hello", "OK"), ("GET greeting", "hello")] {
        let answer = ask(line)?;
        ensure!(answer == expected, "{line} was answered {answer:?}; {expected:?} was expected");
    }
    let value = "x".repeat(VALUE_BYTES);
    for key in 0..KEYS {
        let answer = ask(&format!("SET key:{key} {value}"))?;
        ensure!(answer == "OK", "SET of key {key} was answered {answer:?}");
    }
    let last = ask(&format!("GET key:{}", KEYS - 1))?;
    ensure!(last == value, "GET of the last key was answered with {} bytes, not {VALUE_BYTES}", last.len());
    ask("BGSAVE").context("asking for a background save")?;
    let waited = (0..300).find(|_| {
        std::thread::sleep(Duration::from_millis(100));
        ask("INFO persistence").is_ok_and(|text| text.contains("rdb_bgsave_in_progress:0"))
    });
    let persistence = ask("INFO persistence")?;
    ensure!(
        waited.is_some() && persistence.contains("rdb_last_bgsave_status:ok"),
        "the background save did not end well: {persistence}"
    );
    Ok(format!(
        "-m {MEMORY_MIB}M: the answers to PING, SET and GET, {KEYS} values of {} KiB, and a background save",
        VALUE_BYTES >> 10
    ))
}
