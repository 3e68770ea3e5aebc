//! Whether a folder can be the root of the cache.

use crate::failure::Failure;
use anyhow::Result;
use rustix::fs::{Access, access};
use std::path::Path;

/// What a path may hold beside letters and digits.
const PUNCTUATION: &str = "/-_.+@~";

/// Refuses a path that make, the shell or a gcc specs file would take apart: kbuild stops at blanks and colons, and so
/// does the build system of every second application.
pub(super) fn check_name(path: &Path) -> Result<()> {
    let odd = match path.to_str() {
        None => Some('\u{fffd}'),
        Some(text) => text.chars().find(|c| !c.is_alphanumeric() && !PUNCTUATION.contains(*c)),
    };
    let Some(odd) = odd else { return Ok(()) };
    Err(Failure::new(
        format!(
            "the cache directory {} has the character {odd:?} in its path, which make cannot build in",
            path.display()
        ),
        format!("set UKL_CACHE to a path of letters, digits and {PUNCTUATION}"),
    ))
}

/// Fails when this user may not make files in the folder.
pub(super) fn check_access(dir: &Path) -> std::io::Result<()> {
    Ok(access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_make_would_take_apart_is_refused() {
        check_name(Path::new("/srv/\u{fc}mit/.cache/ukl-2_x")).unwrap();
        for path in ["/a b/ukl", "/a:b", "/a$b", "/a#b", "/a'b"] {
            let (text, status) = crate::failure::describe(&check_name(Path::new(path)).unwrap_err());
            assert!(status == 1 && text.contains(path) && text.contains("UKL_CACHE"), "{text}");
        }
    }
}
