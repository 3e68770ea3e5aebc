//! What perf wrote, as `ukl-profile samples` prints it.

use super::program;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::Path;
use ukl_repo::ctx::Ctx;

/// A sample.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub struct Sample {
    pub pid: i32,
    /// The name of its thread.
    pub comm: String,
    /// The kernel's part, the innermost first.
    pub kernel: Vec<u64>,
    /// The application's registers, by their numbers in DWARF.
    pub registers: Option<[Option<u64>; 17]>,
    /// How many bytes of its stack follow.
    stack_bytes: usize,
    /// Its stack from RSP up.
    #[serde(skip)]
    pub stack: Vec<u8>,
}

/// Reads all samples of perf's file.
pub(super) fn read(ctx: &Ctx, path: &Path) -> Result<Vec<Sample>> {
    let printed = program::output(ctx, "samples", path)?;
    parse(&printed).with_context(|| format!("reading the samples in {}", path.display()))
}

/// A line of JSON for each sample, behind it the bytes of its stack.
fn parse(mut printed: &[u8]) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    while !printed.is_empty() {
        let number = samples.len() + 1;
        let end =
            printed.iter().position(|byte| *byte == b'\n').with_context(|| format!("sample {number} has no end"))?;
        let (line, rest) = (&printed[..end], &printed[end + 1..]);
        let mut sample: Sample = serde_json::from_slice(line).with_context(|| format!("sample {number}"))?;
        let (is, expected) = (rest.len(), sample.stack_bytes);
        ensure!(is >= expected, "sample {number} has {is} bytes of stack instead of {expected}");
        sample.stack = rest[..expected].to_vec();
        printed = &rest[expected..];
        samples.push(sample);
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"pid":7,"comm":"redis","kernel":[18446744073709551615],"registers":null,"stack_bytes":3}"#;

    #[test]
    fn a_stack_may_have_any_bytes() {
        let printed = [LINE.as_bytes(), b"\n\n{\n", LINE.as_bytes(), b"\n\0\xff7"].concat();
        let samples = parse(&printed).unwrap();
        let stacks: Vec<_> = samples.iter().map(|sample| sample.stack.as_slice()).collect();
        assert_eq!(stacks, [b"\n{\n", b"\0\xff7"]);
        assert_eq!((samples[1].pid, samples[1].kernel[0]), (7, u64::MAX));
    }

    #[test]
    fn what_is_cut_off_is_told() {
        let cut = parse(&[LINE.as_bytes(), b"\nab"].concat()).unwrap_err();
        assert_eq!(cut.to_string(), "sample 1 has 2 bytes of stack instead of 3");
        assert_eq!(parse(b"{").unwrap_err().to_string(), "sample 1 has no end");
        assert!(format!("{:#}", parse(b"{}\n").unwrap_err()).starts_with("sample 1: missing field"));
    }
}
