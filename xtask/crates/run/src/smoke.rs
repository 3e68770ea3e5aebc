//! Talks to an application once, as a client would, and says what came back.

use crate::run::{READY_DEADLINE, finish};
use crate::{lines, memcached, resp};
use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde::Deserialize;
use std::time::{Duration, Instant};
use ukl_repo::config::{self, App, KernelFlavour, Level, Ready};
use ukl_vm::vm::console::Banner;
use ukl_vm::vm::{Plan, Vm};

/// How long one answer may take.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// How long a data set may take to load.
const LOAD_DEADLINE: Duration = Duration::from_secs(60);

/// `apps/NAME/smoke.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    /// How requests travel to the application's first port.
    protocol: Protocol,
    /// What is asked, in this order.
    exchange: Vec<Exchange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    /// The Redis protocol.
    Resp,
    /// The text protocol of memcached.
    Memcached,
    /// A line is answered with a line.
    Lines,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// The command's words for Redis, its lines for memcached, the words of the line otherwise.
    send: Vec<String>,
    /// A regular expression that the answer matches.
    expect: String,
}

/// Waits for the application, asks it what its `smoke.toml` says, checks where it runs, and stops the machine. An
/// application that runs to its end has to end with status 0.
pub fn smoke(app: &App, level: &Level, plan: &Plan, vm: &mut Vm) -> Result<()> {
    match app.guest.ready {
        Ready::Exit => {
            let status = finish(vm, app)?;
            ensure!(status == 0, "the application ended with status {status}");
            check_banner(app, level, vm)?;
        }
        Ready::Tcp(_) => {
            vm.wait_all_ready(app, READY_DEADLINE)?;
            for app in app.all().filter(|app| matches!(app.guest.ready, Ready::Tcp(_))) {
                let script: Script = config::read(&app.dir.join("smoke.toml"))?;
                let port = plan.host_port(app).context("the application has no port")?;
                converse(&script, port).map_err(|error| vm.failure(format!("{error:#}")))?;
            }
            vm.catch_up()?;
            check_banner(app, level, vm)?;
            vm.stop()?;
        }
    }
    vm.check_kernel()?;
    println!("smoke test of {} at level {}: passed", app.title(), level.name);
    Ok(())
}

/// Waits until an application that listens also answers. Redis accepts connections while it loads its data set, and says
/// so to whoever asks; an application without `smoke.toml` counts as ready when it listens.
pub fn wait_answering(app: &App, port: u16) -> Result<()> {
    let path = app.dir.join("smoke.toml");
    if !path.is_file() {
        return Ok(());
    }
    let script: Script = config::read(&path)?;
    match script.protocol {
        Protocol::Resp => wait_loaded(port),
        // It listens when it is ready.
        Protocol::Memcached | Protocol::Lines => Ok(()),
    }
}

/// Waits until Redis has loaded its data set.
pub fn wait_loaded(port: u16) -> Result<()> {
    let start = Instant::now();
    let mut client = resp::Client::connect(port, ANSWER_DEADLINE)?;
    loop {
        match client.text("PING")? {
            resp::Reply::Error(text) if text.starts_with("LOADING") && start.elapsed() < LOAD_DEADLINE => {}
            resp::Reply::Error(text) => anyhow::bail!("`PING` was answered with the error {text:?}"),
            _ => return Ok(()),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A reply, as it is shown and compared.
struct Answer {
    text: String,
    is_error: bool,
}

/// What asks a question over a connection of its own.
type Ask = Box<dyn FnMut(&[&[u8]]) -> Result<Answer>>;

impl Protocol {
    fn connect(&self, port: u16) -> Result<Ask> {
        Ok(match self {
            Protocol::Resp => {
                let mut client = resp::Client::connect(port, ANSWER_DEADLINE)?;
                Box::new(move |words| {
                    let reply = client.call(words)?;
                    Ok(Answer { text: reply.to_string(), is_error: matches!(reply, resp::Reply::Error(_)) })
                })
            }
            Protocol::Memcached => {
                let mut client = memcached::Client::connect(port, ANSWER_DEADLINE)?;
                Box::new(move |lines| {
                    let reply = client.call(lines)?;
                    Ok(Answer { text: reply.to_string(), is_error: matches!(reply, memcached::Reply::Error(_)) })
                })
            }
            Protocol::Lines => {
                let mut client = lines::Client::connect(port, ANSWER_DEADLINE)?;
                Box::new(move |words| {
                    let line = String::from_utf8_lossy(&words.join(&b' ')).into_owned();
                    Ok(Answer { text: client.call(&line)?, is_error: false })
                })
            }
        })
    }

    /// What stands between the parts of a question when it is shown.
    fn separator(&self) -> &str {
        match self {
            Protocol::Resp | Protocol::Lines => " ",
            Protocol::Memcached => "\n> ",
        }
    }
}

fn converse(script: &Script, port: u16) -> Result<()> {
    let mut ask = script.protocol.connect(port)?;
    for exchange in &script.exchange {
        let shown = exchange.send.join(script.protocol.separator());
        let line = exchange.send.join(" ");
        let parts: Vec<_> = exchange.send.iter().map(String::as_bytes).collect();
        let answer = ask(&parts).with_context(|| format!("`{line}`"))?;
        let text = answer.text.replace('\r', "");
        println!("> {shown}");
        println!("{}", text.trim_end());
        let expected = Regex::new(&exchange.expect).with_context(|| format!("`{}`", exchange.expect))?;
        let fits = !answer.is_error && expected.is_match(&text);
        ensure!(fits, "`{line}` was answered {text:?}; /{expected}/ was expected");
    }
    Ok(())
}

/// Compares what each application said about itself at its start with the level that was asked for, and prints it.
fn check_banner(app: &App, level: &Level, vm: &Vm) -> Result<()> {
    let banners = vm.banners();
    for banner in banners {
        println!("level {}, CPL {} (process {} in the guest)", banner.level, banner.cpl, banner.pid);
        if let Some(reason) = mismatch(level, banner) {
            return Err(vm.failure(reason));
        }
    }
    let seen = banners.len();
    if seen < app.all().count() {
        return Err(vm.failure(format!(
            "{seen} of the {} applications printed a `ukl: level=… cpl=… pid=…` line",
            app.all().count()
        )));
    }
    Ok(())
}

/// The kernel half of the machine is ring 0; an ordinary process is ring 3.
pub fn mismatch(level: &Level, banner: &Banner) -> Option<String> {
    let cpl = match level.kernel {
        KernelFlavour::Ukl => 0,
        KernelFlavour::Vanilla => 3,
    };
    (banner.level != level.name || banner.cpl != cpl).then(|| {
        format!(
            "the application runs at level {} with CPL {}; level {} with CPL {cpl} was expected",
            banner.level, banner.cpl, level.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_repo::config::LevelOptions;

    #[test]
    fn an_ordinary_process_does_not_pass_for_a_linked_in_one() {
        let level = Level {
            name: "byb".to_owned(),
            summary: String::new(),
            kernel: KernelFlavour::Ukl,
            options: LevelOptions { bypass: true, ..LevelOptions::default() },
        };
        let banner = |level: &str, cpl| Banner { level: level.to_owned(), cpl, pid: 43 };
        assert_eq!(mismatch(&level, &banner("byb", 0)), None);
        insta::assert_snapshot!(
            mismatch(&level, &banner("linux", 3)).unwrap(),
            @"the application runs at level linux with CPL 3; level byb with CPL 0 was expected"
        );
        assert!(mismatch(&level, &banner("byb", 3)).is_some());
    }
}
