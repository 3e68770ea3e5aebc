//! Keys for the way into the guest, made once for this cache.

use crate::initramfs::ExtraFile;
use anyhow::Result;
use std::path::PathBuf;
use ukl_host::cache::Key;
use ukl_host::{atomic, process};
use ukl_repo::ctx::Ctx;
use ukl_sources::doctor;
use xshell::{Shell, cmd};

/// The user's key and the guest's.
#[derive(Clone, Debug)]
pub struct Keys {
    dir: PathBuf,
}

impl Keys {
    /// The keys, made when there are none. They open guests of this cache only, whose ports only this machine reaches.
    pub fn open(ctx: &Ctx) -> Result<Self> {
        let needs = [("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];
        doctor::require(ctx, &needs.map(|(name, package)| (name.to_owned(), package.to_owned())).into())?;
        let dir = ctx.cache.step("ssh-keys", &Key::new("ssh-keys-v1"), |out| {
            let sh = Shell::new()?;
            for (file, comment) in [("user", "ukl"), ("host", "ukl-guest")] {
                let file = out.join(file);
                process::read(cmd!(sh, "ssh-keygen -q -t ed25519 -N '' -C {comment} -f {file}"))?;
            }
            Ok(())
        })?;
        let config = dir.join("config");
        if !config.is_file() {
            // With absolute paths, so after the folder has its name.
            let host = fs_err::read(dir.join("host.pub"))?;
            atomic::write(&dir.join("known_hosts"), format!("ukl {}", String::from_utf8_lossy(&host)))?;
            let text = format!(
                "Host ukl\n HostName 127.0.0.1\n User root\n IdentityFile {0}/user\n IdentitiesOnly yes\n HostKeyAlias ukl\n \
                 UserKnownHostsFile {0}/known_hosts\n StrictHostKeyChecking yes\n LogLevel ERROR\n",
                dir.display()
            );
            atomic::write(&config, text)?;
        }
        Ok(Keys { dir })
    }

    /// What the guest's sshd needs.
    pub fn files(&self) -> Result<Vec<ExtraFile>> {
        let file = |target: &str, permissions, name: &str| -> Result<ExtraFile> {
            let content = fs_err::read(self.dir.join(name))?;
            Ok(ExtraFile { target: target.to_owned(), permissions, content })
        };
        Ok(vec![
            file("/etc/ssh/ssh_host_ed25519_key", 0o600, "host")?,
            file("/etc/ssh/ssh_host_ed25519_key.pub", 0o644, "host.pub")?,
            file("/etc/ssh/authorized_keys", 0o600, "user.pub")?,
        ])
    }

    /// The words of the command that goes into the guest behind this port of the host.
    pub fn command(&self, port: u16) -> Vec<String> {
        let config = self.dir.join("config").display().to_string();
        ["ssh", "-F", &config, "-p", &port.to_string(), "ukl"].map(str::to_owned).to_vec()
    }

    /// Runs a command in the guest and returns what it prints; it has to succeed.
    pub fn run(&self, port: u16, command: &str) -> Result<String> {
        let (sh, words) = (Shell::new()?, self.command(port));
        let (ssh, words) = (&words[0], &words[1..]);
        process::read(cmd!(sh, "{ssh} -o ConnectTimeout=60 {words...} {command}"))
    }
}
