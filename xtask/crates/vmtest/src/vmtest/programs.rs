//! Programs as their owners run them: through this program's own command line, at each level.

mod data;

use super::suite::{Apps, Machines, Quick, Suite, When, names};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use ukl_app::app;
use ukl_app::toolchain::{self, Contents};
use ukl_host::process;
use ukl_repo::config::Levels;
use ukl_repo::ctx::Ctx;
use xshell::cmd;

/// What a new user writes first. Its status is none that anything else would end with.
const HELLO: &str =
    "#include <stdio.h>\nint main(int n, char **w) { printf(\"hello %s\", n > 1 ? w[1] : \"\"); return 37; }\n";
/// How many comparisons `apps/hello-cxx` makes.
const COMPARISONS: usize = 10;

/// A link that must fail with an answer.
struct Refusal {
    name: &'static str,
    source: &'static str,
    /// A shell command beside `x.c`, which has the source.
    command: &'static str,
    /// What the answer has to have in it.
    words: [&'static str; 2],
}

const REFUSALS: &[Refusal] = &[
    Refusal {
        name: "shared-library",
        source: "int f(void) { return 0; }",
        command: "ukl-cc -shared -fPIC x.c -o libx.so",
        words: ["libx.so would be a shared library", "--disable-shared"],
    },
    Refusal {
        name: "hosts-library",
        source: "int main(void) { return 0; }",
        command: "ukl-cc x.c -o x -lm -lstdc++",
        words: ["cannot find -lstdc++", "another C library"],
    },
    Refusal {
        name: "unresolved-symbol",
        source: "int absent(void); int main(void) { return absent(); }",
        command: "ukl-cc x.c -o x",
        words: ["undefined reference to `absent'", "link the object or archive"],
    },
    Refusal {
        name: "object-for-32-bits",
        source: "int main(void) { return 0; }",
        command: "gcc -m32 -c x.c -o x.o; ukl-cc x.o -o x",
        words: ["i386", "compile it again with ukl-cc"],
    },
];

/// Runs the command of a refusal.
fn refused(ctx: &Ctx, refusal: &Refusal) -> Result<String> {
    let place = toolchain::folder(ctx, &toolchain::toolchain(ctx)?, Contents::default())?;
    let scratch = ctx.cache.scratch()?;
    std::fs::write(scratch.path().join("x.c"), refusal.source).context("writing x.c")?;
    let (sh, command) = (process::shell_in(scratch.path())?, refusal.command);
    let mut shell = Command::from(cmd!(sh, "sh -c {command}").envs(toolchain::environment(&place)));
    let output = process::die_with_parent(shell.stdin(Stdio::null())).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "`{}` succeeded", refusal.command);
    for word in refusal.words {
        ensure!(said.contains(word), "`{}` was not answered with `{word}` but {said:?}", refusal.command);
    }
    Ok(format!("the answer to `{}` with `{}`", refusal.command, refusal.words.join("`, `")))
}

/// Links that have to fail.
pub(super) const LINKS: Suite = Suite {
    name: "links",
    summary: "what ukl-cc refuses to link, and what it says",
    prefix: "programs/link/",
    apps: Apps::None,
    machines: &[Machines { levels: None, cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| Ok(REFUSALS.iter().map(|refusal| refusal.name.to_owned()).collect()),
    run: |ctx, part, tally| {
        for refusal in REFUSALS {
            let name = part.test(refusal.name);
            if tally.wants(&name) {
                tally.check(&name, refused(ctx, refusal));
            }
        }
        Ok(())
    },
};

type Test = (&'static str, fn(&Ctx, &str) -> Result<String>);

/// Each with an image of its own.
const PROGRAMS: &[Test] = &[("hello-by-its-path", hello), ("what-c++-needs", cxx)];

/// Links an image for each test and level, so only when asked for.
pub(super) const SUITE: Suite = Suite {
    name: "programs",
    summary: "hello.c and C++ by their paths, at every level",
    prefix: "programs/{level}/",
    apps: Apps::None,
    machines: &[Machines { levels: Some(Levels::Every), cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| Ok([names(PROGRAMS), data::names()].concat()),
    run: |ctx, part, tally| {
        let level = &part.level()?.name;
        for (name, test) in PROGRAMS {
            let name = part.test(name);
            if tally.wants(&name) {
                tally.check(&name, test(ctx, level));
            }
        }
        for size_mib in data::SIZES_MIB {
            let name = part.test(&data::name(*size_mib));
            if tally.wants(&name) {
                tally.check(&name, data::test(ctx, level, *size_mib));
            }
        }
        Ok(())
    },
};

/// Runs `run` with these words; its status and standard output.
fn xtask(words: &[&str], folder: &Path) -> Result<(Option<i32>, String)> {
    let this = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new(this);
    command.arg("run").args(words).current_dir(folder).stdin(Stdio::null());
    eprintln!("$ {}", process::display(&command));
    let output = process::die_with_parent(&mut command).output().context("starting this program")?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// `CC=ukl-cc make hello`, then `run ./hello`; also a copy that was stripped and lies elsewhere.
fn hello(ctx: &Ctx, level: &str) -> Result<String> {
    let place = toolchain::folder(ctx, &toolchain::toolchain(ctx)?, Contents::default())?;
    let scratch = ctx.cache.scratch()?;
    let folder = scratch.path();
    std::fs::write(folder.join("hello.c"), HELLO).context("writing hello.c")?;
    let (sh, steps) = (process::shell_in(folder)?, "make hello; mkdir elsewhere; install -s hello elsewhere/my-hello");
    process::run_on_stderr(cmd!(sh, "sh -ec {steps}").envs(toolchain::environment(&place)))?;
    for program in ["./hello", "elsewhere/my-hello"] {
        let (status, output) = xtask(&[program, "--level", level, "--", "you there"], folder)?;
        ensure!(output == "hello you there", "{program} printed {output:?}; \"hello you there\" was expected");
        ensure!(status == Some(37), "`run {program}` ended with {status:?}; 37 was expected, the program's own status");
    }
    Ok("what it printed and the status of `run` with those of the program, and the same after `install -s`".to_owned())
}

/// The comparisons of `apps/hello-cxx`.
fn cxx(ctx: &Ctx, level: &str) -> Result<String> {
    app::build_app(ctx, &ctx.repo.app("hello-cxx")?)?;
    let (status, output) = xtask(&["hello-cxx", "--level", level], &ctx.repo.root)?;
    let (right, wrong): (Vec<_>, Vec<_>) = output.lines().partition(|line| line.starts_with("ok "));
    ensure!(wrong.is_empty() && status == Some(0), "status {status:?}: {}", wrong.join("; "));
    ensure!(right.len() == COMPARISONS, "{} comparisons were made; {COMPARISONS} were expected", right.len());
    Ok(format!("{} results of exceptions, containers, streams and threads with what they have to be", right.len()))
}
