//! How far a download is: a bar on a terminal, a line every few seconds elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two lines where there is no terminal.
const LINE_PERIOD: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    name: String,
    total: Option<u64>,
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Progress {
    /// `total` is unknown when the server does not say how long the file is. All counts are bytes.
    pub(super) fn new(partial: &Path, start: u64, total: Option<u64>) -> Self {
        let name = partial.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "  {msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(total.unwrap_or(0)).with_style(style).with_message(name.clone());
            bar.set_position(start);
            bar
        });
        Progress { name, total, bar, said: Instant::now() }
    }

    /// `received` bytes are there now.
    pub(super) fn at(&mut self, received: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(received);
        } else if self.said.elapsed() >= LINE_PERIOD {
            self.said = Instant::now();
            eprintln!("  {}: {}", self.name, amount(received, self.total));
        }
    }

    /// Everything is there.
    pub(super) fn finish(&self, received: u64) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("  {}: {} done", self.name, amount(received, Some(received)));
    }
}

/// `12.3 of 45.6 MB`.
fn amount(received: u64, total: Option<u64>) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    match total {
        Some(total) if total > received => format!("{:.1} of {:.1} MB", mb(received), mb(total)),
        _ => format!("{:.1} MB", mb(received)),
    }
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_are_in_megabytes() {
        assert_eq!(amount(1_500_000, Some(151_400_000)), "1.5 of 151.4 MB");
        assert_eq!(amount(1_500_000, None), "1.5 MB");
    }
}
