//! A Nix with a store of its own, run by a user without privileges, over a copy of the checkout.

use super::install;
use anyhow::{Context, Result};
use fs_err as fs;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use ukl_host::cache::Lock;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo;
use ukl_sources::fetch;
use xshell::cmd;

/// What flake.nix takes from elsewhere.
const INPUTS: [&str; 3] = ["nixpkgs", "crane", "rust-overlay"];
/// Who runs Nix when root asks: the user and group that own nothing.
const NOBODY: u32 = 65534;
/// The sandbox's view of the host: its programs and libraries, beside `/rust` and `/sources`.
const HOST_FOLDERS: &str = "/bin /usr /lib /lib64 /etc/alternatives";
/// As root: shows the toolchain, which lies in root's home, to a user who may not look there, and becomes that user.
const AS_NOBODY: &str = "mount --bind \"$1\" \"$2\" && shift 2 && \
                         exec setpriv --reuid=65534 --regid=65534 --clear-groups -- \"$@\"";

/// What runs Nix, and where.
#[derive(Debug)]
pub(super) struct Nix {
    /// The folder of the programs.
    bin: PathBuf,
    /// Store, state, copies of the checkout.
    work: PathBuf,
    checkout: PathBuf,
    sysroot: PathBuf,
    root: bool,
    // Another one would replace the checkout that this one builds.
    _lock: Lock,
}

impl Nix {
    /// Everything in place: Nix itself, its folders and settings, the tarballs and crates, a fresh copy of the checkout.
    pub(super) fn prepare(ctx: &Ctx) -> Result<Self> {
        let user = rustix::process::geteuid();
        let work = work_folder(user.as_raw())?;
        let lock = ctx.cache.lock("nix-work")?;
        let bin = install::nix(ctx, &work)?;
        let sh = process::shell_in(&ctx.repo.root)?;
        let sysroot = process::read(cmd!(sh, "rustc --print sysroot"))?;
        let root = user.is_root();
        let nix = Nix { bin, checkout: work.join("checkout"), work, sysroot: sysroot.trim().into(), root, _lock: lock };
        for folder in ["store", "state", "log", "conf", "home", "cache", "tmp", "rust", "sources", "ukl"] {
            let folder = nix.work.join(folder);
            fs::create_dir_all(&folder)?;
        }
        nix.collect_sources(ctx)?;
        nix.write_settings(ctx)?;
        nix.copy_checkout(&ctx.repo.root)?;
        if root {
            for folder in ["state", "log", "home", "cache", "tmp", "ukl", "store"] {
                let path = nix.work.join(folder);
                if fs::metadata(&path)?.uid() != NOBODY {
                    let owner = format!("{NOBODY}:{NOBODY}");
                    process::run(cmd!(sh, "chown {owner} {path}"))?;
                }
            }
        }
        Ok(nix)
    }

    pub(super) fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// An empty folder beside the checkout, readable by everybody.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The pinned tarballs and every crate of Cargo.lock, in one folder for the sandbox.
    fn collect_sources(&self, ctx: &Ctx) -> Result<()> {
        let folder = self.work.join("sources");
        let take = |from: &Path| -> Result<()> {
            let target = folder.join(from.file_name().context("a source has a name")?);
            if !target.exists() {
                fs::copy(from, &target)?;
                fs::set_permissions(&target, Permissions::from_mode(0o644))?;
            }
            Ok(())
        };
        for source in ctx.repo.sources()? {
            take(&fetch::fetch(ctx, &source)?)?;
        }
        // Also those for other systems than this one, which building does not fetch.
        let sh = process::shell_in(&ctx.repo.root)?;
        process::run(cmd!(sh, "cargo fetch --locked --quiet"))?;
        let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo =
            cargo.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("cargo has no home")?;
        for entry in walkdir::WalkDir::new(cargo.join("registry/cache")).max_depth(2) {
            let entry = entry.context("listing cargo's crates")?;
            if entry.path().extension().is_some_and(|extension| extension == "crate") {
                take(entry.path())?;
            }
        }
        Ok(())
    }

    fn write_settings(&self, ctx: &Ctx) -> Result<()> {
        let rust = if self.root { self.work.join("rust") } else { self.sysroot.clone() };
        let settings = format!(
            "experimental-features = nix-command flakes\nsandbox = true\nsandbox-fallback = false\n\
             sandbox-paths = {HOST_FOLDERS} /rust={} /sources={}\nsubstituters =\nflake-registry =\nbuild-users-group =\n\
             allow-import-from-derivation = false\nmax-jobs = 1\ncores = {}\nlog-lines = 10\nwarn-dirty = false\n",
            rust.display(),
            self.work.join("sources").display(),
            ctx.jobs
        );
        fs::write(self.work.join("conf/nix.conf"), settings).context("writing nix.conf")
    }

    /// Everything but what git and cargo keep there, readable by everybody.
    fn copy_checkout(&self, from: &Path) -> Result<()> {
        repo::copy_tree(from, &self.checkout)
    }

    /// A copy of the checkout in which one file is different.
    pub(super) fn changed(&self, file: &str, change: impl Fn(&str) -> String) -> Result<PathBuf> {
        let copy = self.work.join("changed");
        repo::copy_tree(&self.checkout, &copy)?;
        let path = copy.join(file);
        let text = fs::read_to_string(&path)?;
        let changed = change(&text);
        anyhow::ensure!(
            changed != text,
            "{file} no longer has what this control changes; mend xtask/crates/nix/src/nix/controls.rs"
        );
        fs::write(&path, changed)?;
        Ok(copy)
    }

    /// `nix WORDS`; its standard output.
    pub(super) fn plain(&self, words: &[&str]) -> Result<String> {
        self.run(words, &words.join(" "))
    }

    /// The same, called `shown` in messages.
    fn run(&self, words: &[&str], shown: &str) -> Result<String> {
        eprintln!("$ nix {shown}");
        let mut command = self.command(&self.work, words)?;
        let output = process::die_with_parent(&mut command).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("starting `nix {shown}`"))?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            return Err(Failure::new(
                format!("`nix {shown}` failed: {}: {}", output.status, reason(&stderr)),
                format!("the store and the logs of its builds are in {}", self.work.display()),
            ));
        }
        Ok(stdout.into_owned())
    }

    /// `nix WORDS` in the copy of the checkout, with this process's standard streams.
    pub(super) fn interactively(&self, words: &[&str]) -> Result<()> {
        let mut command = self.command(&self.checkout, words)?;
        let status = process::die_with_parent(&mut command).status().context("starting nix")?;
        if !status.success() {
            return Err(Failure::new(
                format!("`nix {}` failed: {status}", words.join(" ")),
                format!("its own words are above; the store and the logs of its builds are in {}", self.work.display()),
            ));
        }
        Ok(())
    }

    /// Nix in a folder, as the user without privileges if this is root, with its own store and settings.
    fn command(&self, folder: &Path, words: &[&str]) -> Result<Command> {
        let sh = process::shell_in(folder)?;
        let (nix, rust, sysroot) = (self.bin.join("nix"), self.work.join("rust"), &self.sysroot);
        let command = match self.root {
            true => cmd!(sh, "unshare --mount -- sh -c {AS_NOBODY} sh {sysroot} {rust} {nix} {words...}"),
            false => cmd!(sh, "{nix} {words...}"),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = command.env("PATH", format!("{}:{path}", self.bin.display()));
        for (name, folder) in [
            ("NIX_STORE_DIR", "store"),
            ("NIX_STATE_DIR", "state"),
            ("NIX_LOCALSTATE_DIR", "state"),
            ("NIX_LOG_DIR", "log"),
            ("NIX_CONF_DIR", "conf"),
            ("XDG_CACHE_HOME", "cache"),
            ("UKL_CACHE", "ukl"),
            ("HOME", "home"),
            ("TMPDIR", "tmp"),
        ] {
            command = command.env(name, self.work.join(folder));
        }
        for name in ["CARGO_MANIFEST_DIR", "NIX_PATH", "NIX_CONFIG", "NIX_REMOTE"] {
            command = command.env_remove(name);
        }
        Ok(command.into())
    }

    /// The options that take a checkout's stand-in for the inputs, without the network.
    pub(super) fn overrides(&self, checkout: &Path) -> Vec<String> {
        self.overrides_by(checkout, |_| None)
    }

    /// The same with a folder for the inputs for which there is one.
    pub(super) fn overrides_by(&self, checkout: &Path, tree: impl Fn(&str) -> Option<PathBuf>) -> Vec<String> {
        let standin = checkout.join("nixos-tests/standin");
        let input = |name: &str| {
            let path = tree(name).unwrap_or_else(|| standin.clone());
            ["--override-input".to_owned(), name.to_owned(), format!("path:{}", path.display())]
        };
        let options = ["--offline", "--no-write-lock-file", "--no-warn-dirty"].map(str::to_owned);
        options.into_iter().chain(INPUTS.into_iter().flat_map(input)).collect()
    }

    /// `nix COMMAND path:CHECKOUT#OUTPUT` with the inputs overridden; the output may be followed by arguments.
    pub(super) fn flake(&self, checkout: &Path, command: &[&str], output: &str) -> Result<String> {
        let options = self.overrides(checkout);
        let mut words: Vec<&str> = command.to_vec();
        words.extend(options.iter().map(String::as_str));
        let mut parts = output.split(' ');
        let hash = if output.is_empty() { "" } else { "#" };
        let flake = format!("path:{}{hash}{}", checkout.display(), parts.next().unwrap_or_default());
        words.push(&flake);
        words.extend(parts);
        // As a user would type it; the rest is the same for all.
        self.run(&words, format!("{} .{hash}{output}", command.join(" ")).trim_end_matches(" ."))
    }

    /// What a function makes of an output, as JSON.
    pub(super) fn eval(&self, output: &str, function: &str) -> Result<String> {
        self.flake(&self.checkout, &["eval", "--json", "--apply", function], output)
    }

    /// Builds an output; where it is.
    pub(super) fn build(&self, checkout: &Path, output: &str) -> Result<PathBuf> {
        let printed = self.flake(checkout, &["build", "--no-link", "--print-out-paths"], output)?;
        Ok(printed.lines().next().context("`nix build` named no path")?.into())
    }
}

/// Outside every home, because the user without privileges has to get there. Another's folder is refused.
fn work_folder(user: u32) -> Result<PathBuf> {
    let work = PathBuf::from(format!("/var/tmp/ukl-nix-{user}"));
    fs::create_dir_all(&work)?;
    let found = fs::symlink_metadata(&work)?;
    if !found.is_dir() || found.uid() != user {
        return Err(Failure::new(
            format!("{} belongs to user {}; user {user} was expected", work.display(), found.uid()),
            "remove it",
        ));
    }
    fs::set_permissions(&work, Permissions::from_mode(0o755))?;
    Ok(work)
}

/// What Nix said from its first error on; before it, it tells which builds it starts and which inputs are overridden.
fn reason(stderr: &str) -> String {
    let lines: Vec<_> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let first = lines.iter().position(|line| line.starts_with("error")).unwrap_or(lines.len().saturating_sub(10));
    lines[first..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_starts_at_the_first_error() {
        let said = "these 2 derivations will be built:\n  a.drv\nerror: builder for 'a.drv' failed\n\n   > no bison\nerror: b\n";
        assert_eq!(reason(said), "error: builder for 'a.drv' failed\n> no bison\nerror: b");
        assert_eq!(reason("killed"), "killed");
    }
}
