//! The file that holds a pin: its values change, and every comment stays.

use anyhow::{Context, Result};
use fs_err as fs;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table};
use ukl_host::atomic;
use ukl_repo::config::Source;

/// Writes tarball and hash of `source` into the `[source]` block of the file.
pub(super) fn rewrite(path: &Path, source: &Source) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let text = with_source(&text, source).with_context(|| format!("in {}", path.display()))?;
    atomic::write(path, text)
}

fn with_source(text: &str, source: &Source) -> Result<String> {
    let mut document: DocumentMut = text.parse().context("parsing it")?;
    let block: &mut Table =
        document.get_mut("source").and_then(Item::as_table_mut).context("it has no [source] block")?;
    for (name, value) in [("file", &source.file), ("sha256", &source.sha256)] {
        let item = block.get_mut(name).with_context(|| format!("[source] has no `{name}`"))?;
        let place = item.as_value_mut().with_context(|| format!("`{name}` of [source] is no value"))?;
        // The comment behind it is part of the value.
        let decor = place.decor().clone();
        *place = value.as_str().into();
        *place.decor_mut() = decor;
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Why it is there.\n[source]\npackage = \"redis\"\nfile = \"redis_1.orig.tar.gz\" # the first\n\
                        sha256 = \"00\"\nsuites = [\"trixie\"]\n\n# How.\n[build]\ncommands = [\n    [\"make\"],\n]\n";

    fn source() -> Source {
        Source {
            package: "redis".to_owned(),
            license: "BSD-3-Clause".to_owned(),
            file: "redis_2.orig.tar.xz".to_owned(),
            sha256: "11".to_owned(),
            suites: vec!["trixie".to_owned()],
        }
    }

    #[test]
    fn only_tarball_and_hash_change() {
        let expected = FILE.replace("redis_1.orig.tar.gz", "redis_2.orig.tar.xz").replace("\"00\"", "\"11\"");
        assert_eq!(with_source(FILE, &source()).unwrap(), expected);
    }

    #[test]
    fn every_pin_of_this_repository_can_be_rewritten() {
        let repo = ukl_repo::repo::Repo::find().unwrap();
        let pins = repo.pins().unwrap();
        assert!(pins.len() > 5);
        for pin in pins {
            let text = fs::read_to_string(&pin.file).unwrap();
            assert_eq!(with_source(&text, &pin.source).unwrap(), text, "{}", pin.file.display());
        }
    }

    #[test]
    fn a_file_that_cannot_be_rewritten_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kernel.toml");
        fs::write(&path, "[stamp]\ntime_s = 1\n").unwrap();
        let error = rewrite(&path, &source()).unwrap_err();
        assert!(format!("{error:#}").contains("it has no [source] block"), "{error:#}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "[stamp]\ntime_s = 1\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
