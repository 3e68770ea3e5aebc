//! Builds that have to fail: each breaks one thing in a copy of the checkout.

use super::machine::Nix;
use anyhow::{Result, bail, ensure};
use ukl_kernel::patches;

/// One thing that is broken.
pub(super) struct Control {
    pub name: &'static str,
    file: &'static str,
    change: fn(&str) -> String,
    /// The output that cannot be built then.
    output: &'static str,
    /// Words of the reason, so that it does not fail for another.
    reason: &'static str,
}

/// All of them.
pub(super) const ALL: &[Control] = &[
    Control {
        name: "forgotten-input",
        file: "kernel/default.nix",
        // Where the tools are listed, not where the function takes them.
        change: |text| text.replacen("    bison\n", "", 1),
        output: "kernel.configuration",
        reason: "bison",
    },
    Control {
        name: "wrong-hash",
        file: "app-runtime/musl.toml",
        change: |text| text.lines().map(|line| format!("{}\n", other_hash(line))).collect(),
        output: "app-runtime.musl-process",
        reason: "hash mismatch",
    },
    Control {
        name: "missing-product",
        file: "app-runtime/default.nix",
        change: |text| text.replacen("lib/libc.a", "lib/libd.a", 1),
        output: "app-runtime.musl-process",
        reason: "was built without its lib/libd.a",
    },
    Control {
        name: "patch-that-does-not-apply",
        file: "kernel/patches/series",
        // The first patch once more, after all others.
        change: |text| {
            let first = patches::names(text).next().unwrap_or_default();
            format!("{text}{first}\n")
        },
        output: "kernel-src",
        reason: "previously applied",
    },
];

impl Control {
    /// Succeeds when the build fails for the reason that it has to.
    pub(super) fn fails(&self, nix: &Nix) -> Result<String> {
        let changed = nix.changed(self.file, self.change)?;
        match nix.build(&changed, &format!("packages.x86_64-linux.{}", self.output)) {
            Ok(path) => bail!("{} was built all the same: {}", self.output, path.display()),
            Err(error) => {
                let error = format!("{error:#}");
                ensure!(error.contains(self.reason), "it failed for another reason than {:?}: {error}", self.reason);
                Ok(format!("the build of {} with {} changed fails: {:?}", self.output, self.file, self.reason))
            }
        }
    }
}

/// A line with another hash in it, if it is the one that has the hash.
fn other_hash(line: &str) -> String {
    let Some((start, hash)) = line.split_once("sha256 = \"") else { return line.to_owned() };
    let first = if hash.starts_with('0') { '1' } else { '0' };
    format!("{start}sha256 = \"{first}{}", &hash[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_hash_has_as_many_digits() {
        assert_eq!(other_hash("sha256 = \"a9a1\""), "sha256 = \"09a1\"");
        assert_eq!(other_hash("sha256 = \"09a1\""), "sha256 = \"19a1\"");
        assert_eq!(other_hash("file = \"x\""), "file = \"x\"");
    }
}
