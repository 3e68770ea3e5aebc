//! An apt with a state of its own: it knows the suites it is told, and this machine's packages stay as they are.

use super::is_security;
use anyhow::{Result, ensure};
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_host::process;
use xshell::{Cmd, Shell, cmd};

/// What Debian signs its suites with.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Its folder. As it believes that no package is installed, it leaves nothing out of what another one needs.
pub struct PrivateApt<'a> {
    dir: &'a Path,
}

impl<'a> PrivateApt<'a> {
    /// Makes one in an empty folder. `kind` is `deb` or `deb-src`; the suites are those of the ordinary archive, and each
    /// has its security updates where the machine has an archive for them. Of several archives the first one is asked: another
    /// may be somebody else's and lack the suite, which would be an error.
    pub fn new(dir: &'a Path, kind: &str, suites: &[String]) -> Result<Self> {
        let archives = super::archives()?;
        if archives.iter().all(|archive| is_security(archive)) {
            return Err(Failure::new(
                "the apt configuration of this machine names no Debian archive",
                "add one to /etc/apt/sources.list.d and run `apt-get update`",
            ));
        }
        for folder in ["state/lists/partial", "cache/archives/partial"] {
            let folder = dir.join(folder);
            fs::create_dir_all(&folder)?;
        }
        let place = dir.display();
        let write = |name: &str, text: String| fs::write(dir.join(name), text);
        write("status", String::new())?;
        write("sources.list", sources(kind, &archives, suites))?;
        write(
            "apt.conf",
            format!(
                "Dir::State \"{place}/state\";\nDir::State::status \"{place}/status\";\nDir::Cache \"{place}/cache\";\n\
                 Dir::Etc::sourcelist \"{place}/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n\
                 APT::Sandbox::User \"\";\nAPT::Install-Recommends \"false\";\nAcquire::Languages \"none\";\n\
                 Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\nAcquire::Retries \"3\";\n"
            ),
        )?;
        let apt = PrivateApt { dir };
        let sh = Shell::new()?;
        process::run_on_stderr(apt.told(cmd!(sh, "apt-get --quiet update")))?;
        Ok(apt)
    }

    /// Has a program of apt's use this state.
    pub fn told<'s>(&self, command: Cmd<'s>) -> Cmd<'s> {
        command.env("APT_CONFIG", self.dir.join("apt.conf"))
    }

    /// Where it keeps the packages it has downloaded.
    pub fn downloads(&self) -> PathBuf {
        self.dir.join("cache/archives")
    }
}

/// Unpacks packages of a suite, and all that they need, into a folder as if it were the root of a system. No package's script
/// is run. apt keeps its state in `scratch`, an empty folder.
pub fn unpack_with_dependencies(scratch: &Path, suite: &str, packages: &[String], root: &Path) -> Result<()> {
    let apt = PrivateApt::new(scratch, "deb", &[suite.to_owned()])?;
    let sh = Shell::new()?;
    let install = cmd!(sh, "apt-get --quiet --assume-yes install --download-only {packages...}");
    process::run_on_stderr(apt.told(install))?;
    let archives = apt.downloads();
    let listed = fs::read_dir(&archives)?;
    let debs = listed.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let debs: Vec<_> = debs.filter(|path| path.extension().is_some_and(|ending| ending == "deb")).collect();
    ensure!(debs.len() > packages.len(), "apt downloaded {} packages into {}", debs.len(), archives.display());
    debs.iter().try_for_each(|deb| process::read(cmd!(sh, "dpkg-deb --extract {deb} {root}")).map(drop))
}

fn sources(kind: &str, archives: &[String], suites: &[String]) -> String {
    let first = |security: bool| archives.iter().find(move |archive| is_security(archive) == security);
    let lines = [first(false), first(true)].into_iter().flatten().flat_map(|archive| {
        suites.iter().filter_map(move |suite| {
            // Neither unstable nor what is added to a suite (`-backports`) has security updates.
            let has_updates = !suite.contains('-') && !matches!(suite.as_str(), "sid" | "unstable" | "experimental");
            let suite = match is_security(archive) {
                true if has_updates => format!("{suite}-security"),
                true => return None,
                false => suite.clone(),
            };
            Some(format!("{kind} [signed-by={KEYRING}] {archive} {suite} main\n"))
        })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_suite_has_its_security_updates() {
        let archives = ["http://a.example/debian/", "http://other.example/x/", "http://a.example/debian-security/"];
        let archives = archives.map(str::to_owned);
        let suites = ["trixie", "trixie-backports", "sid"].map(str::to_owned);
        insta::assert_snapshot!(super::sources("deb-src", &archives, &suites), @r"
        deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian/ trixie main
        deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian/ trixie-backports main
        deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian/ sid main
        deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian-security/ trixie-security main
        ");
    }
}
