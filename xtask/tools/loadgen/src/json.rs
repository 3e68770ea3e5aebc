//! Results as JSON: complete under their name, or not there.

use anyhow::{Context, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Writes to a file of that name, or to standard output for `-`.
pub fn write(path: &Path, results: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(results).context("turning the results into JSON")?;
    text.push('\n');
    if path == Path::new("-") {
        return std::io::stdout().write_all(text.as_bytes()).context("writing the results to standard output");
    }
    let name = path.file_name().with_context(|| format!("{} is no name of a file", path.display()))?;
    // Beside the final name, so that the renaming stays within a file system.
    let mut partial = std::ffi::OsString::from(".");
    partial.push(name);
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(partial);
    let written = File::create(&partial)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        // What is reported is why it could not be written; there may be nothing to remove.
        let _ = std::fs::remove_file(&partial);
    }
    written.with_context(|| format!("writing the results to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_complete_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        write(&path, &[1]).unwrap();
        write(&path, &[1, 2]).unwrap();
        let read: Vec<u32> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, [1, 2]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = write(&dir.path().join("absent/results.json"), &[1]).unwrap_err();
        assert!(error.to_string().contains("absent/results.json"), "{error}");
    }
}
