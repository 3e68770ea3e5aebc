//! Tells on a console what the application prints from what the kernel and init do.

use ukl_vm::vm::console::Said;
use ukl_vm::vm::messages::Line;
use ukl_vm::vm::protocol::Mark;

/// Sorts the lines of a console.
#[derive(Debug, Default)]
pub(crate) struct Output {
    started: bool,
    ended: bool,
    /// Whether a line break is owed: init's mark begins with one that is not the application's.
    pending: bool,
}

/// A part of the output: for standard output, and for standard error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) application: Vec<u8>,
    pub(crate) others: Vec<u8>,
}

impl Output {
    /// What the next line has for either.
    pub(crate) fn line(&mut self, line: &Line, said: Option<&Said>) -> Part {
        let mut part = Part::default();
        match (said, line) {
            (Some(Said::Mark(Mark::Start)), _) if !self.started => self.started = true,
            _ if !self.started || self.ended => {}
            (Some(Said::Mark(Mark::Exit(_))), _) => self.ended = true,
            (Some(Said::Banner(_)), _) | (_, Line::Kernel(_)) => {
                part.others.extend(line.bytes());
                part.others.push(b'\n');
            }
            (_, Line::Process(bytes)) => {
                if self.pending {
                    part.application.push(b'\n');
                }
                part.application.extend(bytes);
                self.pending = true;
            }
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_vm::vm::console;
    use ukl_vm::vm::messages::Lines;

    fn whole(log: &str) -> (String, String) {
        let (mut output, mut lines) = (Output::default(), Lines::default());
        let (mut application, mut others) = (Vec::new(), Vec::new());
        // In pieces, as it comes.
        for line in log.as_bytes().chunks(5).flat_map(|piece| lines.take(piece)).collect::<Vec<_>>() {
            let part = output.line(&line, console::said(&line.text()).as_ref());
            application.extend(part.application);
            others.extend(part.others);
        }
        (String::from_utf8(application).unwrap(), String::from_utf8(others).unwrap())
    }

    #[test]
    fn the_applications_output_is_kept_apart_from_the_rest() {
        let log = "Linux version\r\nUKL-START\r\nukl: level=byb cpl=0 pid=43\r\nhel[    2.345678] random: crng init \
                   done\r\nlo\r\n[1.5] is mine\r\n\r\nUKL-EXIT status=0\r\nreboot\r\n";
        let (application, others) = whole(log);
        assert_eq!(application, "hello\n[1.5] is mine\n");
        assert_eq!(others, "ukl: level=byb cpl=0 pid=43\n[    2.345678] random: crng init done\n");
    }

    #[test]
    fn a_last_line_without_an_end_gets_none() {
        assert_eq!(whole("UKL-START\nno end\nUKL-EXIT status=0\n").0, "no end");
        assert_eq!(whole("UKL-START\n\nUKL-EXIT status=0\n").0, "");
    }
}
