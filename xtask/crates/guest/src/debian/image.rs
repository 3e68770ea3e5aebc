//! The root's file system: installed by mmdebstrap, put into an image by mke2fs, kept in the cache.

use super::FOLDER;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::config;
use ukl_repo::ctx::Ctx;
use ukl_sources::{apt, doctor};
use xshell::{Shell, cmd};

/// `guest/debian/root.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    /// The release, by its name.
    suite: String,
    /// Of the file system.
    size_mib: u32,
    packages: Vec<String>,
    /// Patterns of paths that dpkg leaves out.
    exclude: Vec<String>,
    /// Units that systemd does not start.
    mask: Vec<String>,
}

impl Root {
    /// These words become arguments and lines of apt's configuration.
    fn validate(self) -> Result<Self> {
        let plain = |text: &String| text.chars().all(|c| c.is_ascii_alphanumeric() || "+-._/*@:".contains(c));
        let words = self.packages.iter().chain(&self.exclude).chain(&self.mask).chain([&self.suite]);
        for word in words {
            ensure!(!word.is_empty() && plain(word), "`{word}` is no name of a package, a path, a unit or a suite");
        }
        Ok(self)
    }
}

/// Settings that every machine with this root has, as files: path and content.
const FILES: [(&str, &str); 6] = [
    ("/etc/hostname", "ukl\n"),
    ("/etc/hosts", "127.0.0.1 localhost ukl\n"),
    // An identity, or systemd would take each boot for the first one and go through every unit's preset.
    ("/etc/machine-id", "756b6c00756b6c00756b6c00756b6c00\n"),
    // As guest/init has it, with the reasons.
    ("/etc/sysctl.d/60-ukl.conf", "vm.overcommit_memory = 1\nnet.ipv4.tcp_max_syn_backlog = 4096\n"),
    // The kernel has asked for the address; its answer names the name servers.
    ("/etc/tmpfiles.d/ukl.conf", "L+ /etc/resolv.conf - - - - /proc/net/pnp\n"),
    // A root without a password is let in by its key only, which lies with the machine's own: the homes stay the distribution's.
    (
        "/etc/ssh/sshd_config.d/ukl.conf",
        "PermitRootLogin prohibit-password\nUseDNS no\nAuthorizedKeysFile /etc/ssh/authorized_keys\n",
    ),
];

/// The image of the root, a file of `size_mib`, for the most part a hole. It is never written to.
pub fn root(ctx: &Ctx) -> Result<PathBuf> {
    let path = ctx.repo.root.join(FOLDER).join("root.toml");
    let root = config::load(&path, Root::validate)?;
    let mut key = Key::new("debian-root-v1").file(&path)?;
    for (file, content) in FILES {
        key = key.str(file).str(content);
    }
    let dir = ctx.cache.step("debian-root", &key, |out| {
        let mut needs =
            vec![("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux"), ("mke2fs", "e2fsprogs"), ("tar", "tar")];
        if !is_root() {
            needs.push(("newuidmap", "uidmap"));
        }
        let needs = needs.iter().map(|(name, package)| ((*name).to_owned(), (*package).to_owned()));
        doctor::require(ctx, &needs.collect())?;
        let tar = out.join("root.tar");
        install(&root, &tar, out)?;
        pack(&root, &tar, out)?;
        Ok(fs_err::remove_file(&tar)?)
    })?;
    Ok(dir.join("root.img"))
}

/// Whether this user may do without a name space of users.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Lines for apt: the release in every Debian archive that this machine's apt is configured with.
fn sources(root: &Root, archives: &[String]) -> Vec<String> {
    let suite = |archive: &String| match apt::is_security(archive) {
        true => format!("{}-security", root.suite),
        false => root.suite.clone(),
    };
    archives.iter().map(|archive| format!("deb {archive} {} main", suite(archive))).collect()
}

/// Installs the packages into an archive.
fn install(root: &Root, tar: &Path, out: &Path) -> Result<()> {
    let mode = if is_root() { "root" } else { "unshare" };
    let (sh, packages) = (Shell::new()?, root.packages.join(","));
    let no_more = "--aptopt=APT::Install-Recommends \"false\"";
    let excluded = root.exclude.iter().map(|pattern| format!("--dpkgopt=path-exclude={pattern}"));
    let mut command = cmd!(
        sh,
        "mmdebstrap --variant=minbase --mode={mode} --format=tar {no_more} {excluded...} --include={packages}"
    );
    for (file, content) in FILES {
        let (parent, _) = file.rsplit_once('/').context("a file has a folder")?;
        let content = content.replace('\n', "\\n");
        command = command.arg(format!("--customize-hook=mkdir -p \"$1{parent}\" && printf '{content}' >\"$1{file}\""));
    }
    let hooks = [
        &format!("systemctl --root=\"$1\" mask {}", root.mask.join(" ")),
        // Whoever boots the root brings its keys along; those would be the same everywhere.
        "rm -f \"$1\"/etc/ssh/ssh_host_*",
        "chroot \"$1\" passwd --delete root",
        "chroot \"$1\" dpkg-query --show >\"$1/etc/ukl-packages\"",
    ];
    let command = command.args(hooks.map(|hook| format!("--customize-hook={hook}")));
    let command = command.arg(&root.suite).arg(tar).args(sources(root, &apt::archives()?));
    process::run_logged("installing Debian", command, &out.join("install.log")).map_err(|error| {
        let next = match is_root() {
            true => "read that log; `apt-get update` renews lists that are too old",
            false => {
                "read that log; an ordinary user needs subordinate ids (/etc/subuid and /etc/subgid) and name \
                 spaces of users, or run this once as root"
            }
        };
        Failure::new(format!("{error:#}"), next)
    })
}

/// Puts the archive into a file system. It is unpacked as root of a name space where the user is not root, so that owners stay.
fn pack(root: &Root, tar: &Path, out: &Path) -> Result<()> {
    let script = "set -e; PATH=$PATH:/usr/sbin:/sbin; mkdir \"$3\"; tar --extract --numeric-owner --xattrs \
                  --xattrs-include='*' --exclude='./dev/*' --file \"$1\" --directory \"$3\"; \
                  mke2fs -q -F -t ext4 -L debian -E root_owner=0:0,hash_seed=756b6c00-756b-6c00-756b-6c00756b6c00 \
                  -d \"$3\" \"$2\" \"$4\"; rm -rf \"$3\"";
    let sh = Shell::new()?;
    let (image, tree, size_mib) = (out.join("root.img"), out.join("tree"), root.size_mib.to_string());
    let shell: &[&str] = match is_root() {
        true => &["sh"],
        false => &["unshare", "--user", "--map-root-user", "--map-auto", "sh"],
    };
    let (program, options) = (shell[0], &shell[1..]);
    let command = cmd!(sh, "{program} {options...} -c {script} pack {tar} {image} {tree} {size_mib}M");
    process::run_logged("packing Debian", command, &out.join("pack.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(packages: &[&str]) -> Root {
        let packages = packages.iter().map(|name| (*name).to_owned()).collect();
        Root { suite: "bookworm".to_owned(), size_mib: 1, packages, exclude: vec![], mask: vec![] }
    }

    #[test]
    fn each_archive_has_its_own_suite() {
        let archives = ["http://a.example/debian/", "http://a.example/debian-security/"].map(str::to_owned);
        insta::assert_snapshot!(sources(&root(&[]), &archives).join("\n"), @r"
        deb http://a.example/debian/ bookworm main
        deb http://a.example/debian-security/ bookworm-security main
        ");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert!(root(&["libc6", "g++"]).validate().is_ok());
        let error = root(&["gdb strace"]).validate().unwrap_err();
        insta::assert_snapshot!(error, @"`gdb strace` is no name of a package, a path, a unit or a suite");
    }
}
