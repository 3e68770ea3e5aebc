//! What happens to a machine, one thing after the other, for whoever runs it to act upon.

use crate::vm::console::{self, Banner, Said};
use crate::vm::messages::Line;
use crate::vm::protocol::Mark;
use std::collections::VecDeque;
use std::process::ExitStatus;

/// The next thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The console printed a line, and what it tells. It is never `Said::Trouble`.
    Line(Line, Option<Said>),
    /// The guest's kernel or its init complained, in this line of the console.
    Trouble(Line),
    /// QEMU has ended; nothing comes after it.
    End(ExitStatus),
    /// The user wants to stop (Ctrl-C). Told again until the machine is waited for to end.
    Interrupt,
    /// Nothing else happened by the deadline.
    Deadline,
}

/// Puts what is found at a machine into its order: every line of the console, then the end, then the user's wish, then the
/// deadline. A console that never falls silent keeps nothing of that back: each look is judged when its lines are through.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    unread: VecDeque<Line>,
    ended: Option<ExitStatus>,
    looked: bool,
}

impl Feed {
    /// Takes what a look found: whether QEMU had ended, and all that the console had printed after that was asked.
    pub(crate) fn add(&mut self, ended: Option<ExitStatus>, lines: Vec<Line>) {
        self.ended = ended;
        self.unread.extend(lines);
        self.looked = true;
    }

    /// Whether a look was made that is not yet judged.
    pub(crate) fn is_fresh(&self) -> bool {
        self.looked
    }

    /// A line that was printed and not yet handed on.
    pub(crate) fn line(&mut self) -> Option<Event> {
        let line = self.unread.pop_front()?;
        Some(match console::said(&line.text()) {
            Some(Said::Trouble(_)) => Event::Trouble(line),
            said => Event::Line(line, said),
        })
    }

    /// The next event; none when one has to look again.
    pub(crate) fn next(&mut self, interrupted: bool, late: bool) -> Option<Event> {
        if let Some(event) = self.line() {
            return Some(event);
        }
        if !std::mem::take(&mut self.looked) {
            return None;
        }
        match self.ended {
            Some(status) => Some(Event::End(status)),
            None if interrupted => Some(Event::Interrupt),
            None if late => Some(Event::Deadline),
            None => None,
        }
    }
}

/// What the lines that were handed on have told.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// In their order.
    pub(crate) marks: Vec<Mark>,
    /// One for each start of an application.
    pub(crate) banners: Vec<Banner>,
    /// The kernel's first complaint.
    pub(crate) trouble: Option<String>,
}

impl Heard {
    /// Remembers an event.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::Line(_, Some(Said::Mark(mark))) => self.marks.push(mark.clone()),
            Event::Line(_, Some(Said::Banner(banner))) => self.banners.push(banner.clone()),
            Event::Trouble(line) => {
                self.trouble.get_or_insert_with(|| line.text().trim_end().to_owned());
            }
            Event::Line(..) | Event::End(_) | Event::Interrupt | Event::Deadline => {}
        }
    }

    /// Why what one waits for will not come any more, if that is certain.
    pub(crate) fn hopeless(&self) -> Option<String> {
        match (&self.trouble, self.exit_status()) {
            (Some(line), _) => Some(trouble(line)),
            (None, Some(status)) => Some(format!("the application ended with status {status}")),
            (None, None) => None,
        }
    }

    /// The application's status, when it has ended; the first one if it was started again.
    pub(crate) fn exit_status(&self) -> Option<i32> {
        self.marks.iter().find_map(|mark| if let Mark::Exit(status) = mark { Some(*status) } else { None })
    }
}

/// How a complaint of the guest's kernel is told.
pub(crate) fn trouble(line: &str) -> String {
    format!("the guest's kernel is in trouble: {line}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts.iter().map(|text| Line::Process(text.as_bytes().to_vec())).collect()
    }

    fn line(text: &str) -> Event {
        Event::Line(Line::Process(text.as_bytes().to_vec()), console::said(text))
    }

    fn trouble(text: &str) -> Event {
        Event::Trouble(Line::Process(text.as_bytes().to_vec()))
    }

    fn end() -> ExitStatus {
        ExitStatus::from_raw(0)
    }

    /// All events of a feed until it has to be looked at again, or says the last thing there is.
    fn events(feed: &mut Feed, interrupted: bool, late: bool) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = feed.next(interrupted, late) {
            let last = matches!(event, Event::End(_) | Event::Interrupt | Event::Deadline);
            events.push(event);
            if last {
                break;
            }
        }
        events
    }

    #[test]
    fn lines_and_trouble_come_before_the_end_and_the_end_before_all_else() {
        let mut feed = Feed::default();
        feed.add(Some(end()), lines(&["UKL-START", "BUG: x", "UKL-EXIT status=1"]));
        let expected = [line("UKL-START"), trouble("BUG: x"), line("UKL-EXIT status=1"), Event::End(end())];
        assert_eq!(events(&mut feed, true, true), expected);
    }

    #[test]
    fn the_user_comes_before_the_deadline() {
        for (interrupted, late, expected) in [
            (true, true, vec![Event::Interrupt]),
            (true, false, vec![Event::Interrupt]),
            (false, true, vec![Event::Deadline]),
            (false, false, vec![]),
        ] {
            let mut feed = Feed::default();
            feed.add(None, vec![]);
            assert_eq!(events(&mut feed, interrupted, late), expected, "{interrupted} {late}");
        }
    }

    #[test]
    fn a_late_caller_still_gets_what_is_there() {
        let mut feed = Feed::default();
        assert_eq!(feed.next(true, true), None, "nobody has looked yet");
        feed.add(None, lines(&["last words"]));
        assert_eq!(events(&mut feed, false, true), [line("last words"), Event::Deadline]);
        assert_eq!(feed.next(false, true), None, "each call looks again");
    }

    #[test]
    fn a_console_that_never_falls_silent_does_not_keep_the_user_waiting() {
        let mut feed = Feed::default();
        feed.add(None, lines(&["y", "y"]));
        assert_eq!(events(&mut feed, true, false), [line("y"), line("y"), Event::Interrupt]);
    }

    #[test]
    fn what_was_heard_ends_hope() {
        let mut heard = Heard::default();
        assert_eq!(heard.hopeless(), None);
        heard.note(&line("UKL-EXIT status=3"));
        heard.note(&line("UKL-EXIT status=0"));
        assert_eq!((heard.exit_status(), heard.marks.len()), (Some(3), 2));
        assert_eq!(heard.hopeless().unwrap(), "the application ended with status 3");
        heard.note(&trouble("BUG: first"));
        heard.note(&trouble("BUG: second"));
        assert_eq!(heard.hopeless().unwrap(), "the guest's kernel is in trouble: BUG: first");
        heard.note(&line("ukl: level=byb cpl=0 pid=43"));
        assert_eq!(heard.banners[0].pid, 43);
    }
}
