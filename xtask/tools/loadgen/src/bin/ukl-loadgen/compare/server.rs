//! How busy a Redis server was, by its own account.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// The CPU time, in seconds, that the server has used since its start.
pub(super) fn cpu_s(target: &str) -> Result<f64> {
    ask(target).and_then(|text| cpu_in(&text)).with_context(|| format!("asking {target} for its CPU time"))
}

fn ask(target: &str) -> Result<String> {
    let mut stream = TcpStream::connect(target)?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    stream.write_all(b"INFO cpu\r\n")?;
    let mut answer = BufReader::new(stream);
    let mut header = String::new();
    answer.read_line(&mut header)?;
    let size = header.trim_end().strip_prefix('$').and_then(|size| size.parse().ok());
    let mut text = String::new();
    answer.take(size.with_context(|| format!("INFO was answered with {header:?}"))?).read_to_string(&mut text)?;
    Ok(text)
}

/// The sum of the two lines for the server itself; its children have lines of their own.
fn cpu_in(text: &str) -> Result<f64> {
    let figure = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|figure| figure.parse::<f64>().ok()).with_context(|| format!("INFO has no {name}: {text:?}"))
    };
    Ok(figure("used_cpu_sys")? + figure("used_cpu_user")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_and_user_time_of_the_server_itself_are_added() {
        let text = "# CPU\r\nused_cpu_sys:1.500000\r\nused_cpu_user:0.250000\r\nused_cpu_sys_children:9.0\r\n";
        assert_eq!(cpu_in(text).unwrap(), 1.75);
        assert!(cpu_in("used_cpu_user:1\r\n").unwrap_err().to_string().contains("no used_cpu_sys"));
    }
}
