//! std::process: other programs, and this one again.

use crate::{Outcome, same};
use std::io::{ErrorKind, Read, Write};
use std::process::{Command, ExitCode, Stdio};

/// The status a child ends with.
const STATUS: u8 = 7;

/// Starts this program with pipes and an environment, a shell, and one that dies by a signal.
pub fn run_a_child() -> Outcome {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["child", "word"])
        .env("GREETING", "hello")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().ok_or("no pipe to the child")?.write_all(b"from the parent")?;
    let output = child.wait_with_output()?;
    same("the child's output", String::from_utf8(output.stdout)?, "hello word from the parent\n".to_owned())?;
    same("the child's status", output.status.code(), Some(STATUS.into()))?;
    let shell = Command::new("sh").args(["-c", "echo $0 $PWD; exit 3"]).current_dir("/").output()?;
    same("the shell's output", String::from_utf8(shell.stdout)?, "sh /\n".to_owned())?;
    same("the shell's status", shell.status.code(), Some(3))?;
    let killed = Command::new("sh").args(["-c", "kill -TERM $$"]).status()?;
    same("the signal", std::os::unix::process::ExitStatusExt::signal(&killed), Some(15))?;
    Ok(format!("outputs, statuses and a signal of 3 children with what they were told ({STATUS}, 3, SIGTERM)"))
}

/// An error of exec comes back from the child.
pub fn start_what_is_not_there() -> Outcome {
    let error = Command::new("/no/such/program").spawn().map(drop).map_err(|error| error.kind());
    same("the start", error, Err(ErrorKind::NotFound))?;
    Ok("the start of a program that does not exist with an error".to_owned())
}

/// What the child of [`run_a_child`] does.
pub fn child(word: &str) -> ExitCode {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    println!("{} {word} {text}", std::env::var("GREETING").unwrap_or_default());
    if read.is_ok() { ExitCode::from(STATUS) } else { ExitCode::FAILURE }
}
