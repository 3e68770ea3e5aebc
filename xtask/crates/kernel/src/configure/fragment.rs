//! Configuration fragments: what is asked of Kconfig, and whether it came out.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A value as it stands in a `.config`; an option that is off has the value `n`.
const OFF: &str = "n";

/// One requested option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// With the prefix `CONFIG_`.
    pub option: String,
    pub value: String,
    /// Where it is asked for.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

/// A request that Kconfig did not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub request: Request,
    pub got: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { option, value, file, line } = &self.request;
        write!(f, "{option}: wanted {value}, got {} ({}:{line})", self.got, file.display())
    }
}

/// Reads fragments in order; a later one may change what an earlier one asked for, but none repeats itself.
pub fn read(files: &[PathBuf]) -> Result<Vec<Request>> {
    let mut requests: BTreeMap<String, Request> = BTreeMap::new();
    for file in files {
        let text = fs_err::read_to_string(file)?;
        for request in parse(file, &text)? {
            if let Some(earlier) = requests.get(&request.option) {
                ensure!(
                    earlier.file != request.file,
                    "{}:{}: {} was asked for in line {} already",
                    file.display(),
                    request.line,
                    request.option,
                    earlier.line
                );
            }
            requests.insert(request.option.clone(), request);
        }
    }
    Ok(requests.into_values().collect())
}

/// Parses one fragment: `CONFIG_X=value`, blank lines and comments, nothing else.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            // Kconfig's own way to say `n` looks like a comment, and whoever writes it means it.
            if line.ends_with("is not set") {
                bail!("{}:{}: write CONFIG_X=n instead of `{line}`", file.display(), index + 1);
            }
            continue;
        }
        let (option, value) = line
            .split_once('=')
            .filter(|(option, value)| option.starts_with("CONFIG_") && !value.is_empty())
            .with_context(|| format!("{}:{}: `{line}` is not CONFIG_NAME=value", file.display(), index + 1))?;
        requests.push(Request {
            option: option.to_owned(),
            value: value.to_owned(),
            file: file.to_owned(),
            line: index + 1,
        });
    }
    Ok(requests)
}

/// The requests as one file for Kconfig.
pub fn render(requests: &[Request]) -> String {
    requests.iter().map(|Request { option, value, .. }| format!("{option}={value}\n")).collect()
}

/// The requests that a complete `.config` does not grant.
pub fn refusals(requests: &[Request], config: &str) -> Vec<Refusal> {
    let values: BTreeMap<&str, &str> = config.lines().filter_map(|line| line.split_once('=')).collect();
    let got = |request: &Request| *values.get(request.option.as_str()).unwrap_or(&OFF);
    let refused = requests.iter().filter(|request| got(request) != request.value);
    refused.map(|request| Refusal { request: request.clone(), got: got(request).to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(text: &str) -> Result<Vec<Request>> {
        parse(Path::new("base.config"), text)
    }

    #[test]
    fn a_vanished_option_is_named_with_its_place() {
        let asked = requests("# why\nCONFIG_SMP=y\nCONFIG_UKL=y\nCONFIG_IBT=n\nCONFIG_HZ=250\n").unwrap();
        let config = "CONFIG_SMP=y\n# CONFIG_UKL is not set\nCONFIG_IBT=y\nCONFIG_HZ=250\n";
        let lines: Vec<_> = refusals(&asked, config).iter().map(Refusal::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        CONFIG_UKL: wanted y, got n (base.config:3)
        CONFIG_IBT: wanted n, got y (base.config:4)
        ");
    }

    #[test]
    fn what_is_not_there_counts_as_off() {
        assert_eq!(refusals(&requests("CONFIG_IBT=n").unwrap(), ""), []);
    }

    #[test]
    fn a_malformed_line_is_refused() {
        insta::assert_snapshot!(requests("SMP=y").unwrap_err(), @"base.config:1: `SMP=y` is not CONFIG_NAME=value");
        insta::assert_snapshot!(
            requests("# CONFIG_SMP is not set").unwrap_err(),
            @"base.config:1: write CONFIG_X=n instead of `# CONFIG_SMP is not set`"
        );
    }

    #[test]
    fn a_later_fragment_wins_and_a_repetition_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let files = ["a.config", "b.config"].map(|name| dir.path().join(name));
        fs_err::write(&files[0], "CONFIG_SMP=y\n").unwrap();
        fs_err::write(&files[1], "CONFIG_SMP=n\n").unwrap();
        assert_eq!(render(&read(&files).unwrap()), "CONFIG_SMP=n\n");
        fs_err::write(&files[1], "CONFIG_SMP=n\nCONFIG_SMP=n\n").unwrap();
        assert!(read(&files).unwrap_err().to_string().contains("in line 1 already"));
    }
}
