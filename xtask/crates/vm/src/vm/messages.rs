//! Tells the kernel's messages from what processes print: both use the guest's one console.
//!
//! A process's line is sent by the interrupts of the serial port, a message of the kernel at once. So a message can stand in
//! the middle of a line; what follows it is the rest of that line.

use regex::bytes::Regex;
use std::sync::LazyLock;

/// A line of the console, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A message of the kernel, from the time it begins with.
    Kernel(Vec<u8>),
    /// Printed by a process.
    Process(Vec<u8>),
}

impl Line {
    /// Its bytes, whoever printed it.
    pub fn bytes(&self) -> &[u8] {
        let (Line::Kernel(bytes) | Line::Process(bytes)) = self;
        bytes
    }

    /// Its text, whoever printed it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// Takes a console's bytes as they come.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line.
    rest: Vec<u8>,
    /// What a process had printed of a line when messages came in between.
    interrupted: Vec<u8>,
}

impl Lines {
    /// The lines that end in these bytes.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        self.rest.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).take(end).collect();
            lines.push(self.line(&line));
        }
        lines
    }

    /// What is left of a console that has ended: a line without its end.
    pub fn finish(&mut self) -> Vec<Line> {
        match self.rest.is_empty() && self.interrupted.is_empty() {
            true => Vec::new(),
            false => self.take(b"\n"),
        }
    }

    fn line(&mut self, line: &[u8]) -> Line {
        if let Some(message) = message(line) {
            self.interrupted.extend_from_slice(&line[..message]);
            return Line::Kernel(without_return(&line[message..]).to_owned());
        }
        let mut whole = std::mem::take(&mut self.interrupted);
        whole.extend_from_slice(line);
        Line::Process(without_return(&whole).to_owned())
    }
}

/// All lines of a console that has ended.
pub fn lines(log: &[u8]) -> Vec<Line> {
    let mut lines = Lines::default();
    let mut all = lines.take(log);
    all.extend(lines.finish());
    all
}

/// The terminal's line discipline makes two bytes of a line's end.
fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where a message of the kernel begins: at its time in seconds, five places wide or more, and microseconds, as
/// `printk.time=1` lets it begin.
fn message(line: &[u8]) -> Option<usize> {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?-u)\[(    \d|   \d\d|  \d\d\d| \d\d\d\d|\d{5,})\.\d{6}\](\[ *[TC]\d+\])? ").expect("valid")
    });
    TIME.find(line).map(|found| found.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(log: &str) -> String {
        let line = |line: &Line| match line {
            Line::Kernel(_) => format!("K {}\n", line.text()),
            Line::Process(_) => format!("P {}\n", line.text()),
        };
        let whole: String = lines(log.as_bytes()).iter().map(line).collect();
        let mut pieces = Lines::default();
        let mut found: Vec<_> = log.as_bytes().chunks(3).flat_map(|piece| pieces.take(piece)).collect();
        found.extend(pieces.take(b""));
        assert!(whole.starts_with(&found.iter().map(line).collect::<String>()), "pieces give other lines");
        whole
    }

    #[test]
    fn messages_stand_between_lines_and_in_them() {
        insta::assert_snapshot!(
            shown(
                "hello\r\n[    2.345678] random: crng init done\r\nUKL-RE[   12.000001] CE: hpet\r\n[12345.000002][  T1] more\r\n\
                 ADY tcp 6379\r\nwith a return\r\r\n[    3.000000] \r\nthe end"
            ),
            @r"
        P hello
        K [    2.345678] random: crng init done
        K [   12.000001] CE: hpet
        K [12345.000002][  T1] more
        P UKL-READY tcp 6379
        P with a return
        K [    3.000000] 
        P the end
        "
        );
    }

    #[test]
    fn other_brackets_are_a_processs_own() {
        for line in ["[1.5] is mine", "[    2.345] no microseconds", "[  2.345678] too narrow", "[    2.345678]close"] {
            assert_eq!(lines(line.as_bytes()), [Line::Process(line.as_bytes().to_owned())], "{line}");
        }
    }

    #[test]
    fn what_was_interrupted_at_the_end_is_kept() {
        assert_eq!(shown("hel[    2.345678] gone\n"), "K [    2.345678] gone\nP hel\n");
    }
}
