//! A source package of Debian that is a test. One file `apps/packages/NAME.toml`.

use super::{MEMORY_MIB, Source};
use anyhow::{Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A validated package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The file's name without `.toml`.
    pub name: String,
    /// One sentence for lists.
    pub summary: String,
    /// The pinned tarball.
    pub source: Source,
    pub build: PackageBuild,
    pub programs: Vec<PackageProgram>,
}

/// How the package is built, as its own documentation says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageBuild {
    /// Programs that the build or the checks need beside a compiler and make, each with the Debian package that has it.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
    /// Whether its build asks for a compiler for C++; not by default.
    #[serde(default)]
    pub cxx: bool,
    /// Shell commands, run in the tree one after the other, in the environment of `cargo xtask toolchain --env`. `{jobs}` is
    /// how many compilers may run at once.
    pub commands: Vec<String>,
}

/// A program that comes out, and how it is tested: in a machine of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageProgram {
    /// The program, relative to the tree.
    pub path: PathBuf,
    /// Its arguments when it is a server.
    #[serde(default)]
    pub args: Vec<String>,
    /// TCP ports. With one it is started at boot and tested when it listens; else the checks start it.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Virtual CPUs; 1 by default.
    #[serde(default = "one")]
    pub cpus: u32,
    /// Memory of the virtual machine in MiB; 256 by default.
    #[serde(default = "default_memory_mib")]
    pub memory_mib: u32,
    /// What the guest has of the tree: path there = path here. A folder stands for everything in it.
    #[serde(default)]
    pub files: BTreeMap<String, PathBuf>,
    /// Files that are written for the guest: path there = content.
    #[serde(default)]
    pub texts: BTreeMap<String, String>,
    /// What has to succeed, in this order.
    pub check: Vec<Check>,
}

/// One test: a shell command that has to end with status 0.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The last part of the test's name.
    pub name: String,
    /// A command on this machine, in an empty folder; `$PORT` leads to the program's first port, `$TREE` is the
    /// package's tree.
    pub host: Option<String>,
    /// A command in the guest, where the program is in PATH.
    pub guest: Option<String>,
}

fn one() -> u32 {
    1
}

fn default_memory_mib() -> u32 {
    MEMORY_MIB
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPackage {
    summary: String,
    source: Source,
    build: PackageBuild,
    program: Vec<PackageProgram>,
}

impl Package {
    /// Checks what the types do not.
    pub fn validate(name: &str, raw: RawPackage) -> Result<Self> {
        raw.source.validate()?;
        ensure!(!raw.build.commands.is_empty(), "`build.commands` is empty");
        for program in &raw.program {
            let path = program.path.display();
            ensure!(program.path.is_relative(), "`program.path`: `{path}` is absolute; it is relative to the tree");
            ensure!(!program.check.is_empty(), "program `{path}` has no check");
            for check in &program.check {
                let (name, here) = (&check.name, check.host.is_some());
                ensure!(here != check.guest.is_some(), "check `{name}` needs a command: either `host` or `guest`");
                ensure!(
                    !here || !program.ports.is_empty(),
                    "check `{name}` runs on the host, but `{path}` has no port"
                );
            }
            for target in program.files.keys().chain(program.texts.keys()) {
                ensure!(target.starts_with('/'), "program `{path}`: `{target}` is not an absolute path");
            }
        }
        ensure!(!raw.program.is_empty(), "there is no [[program]]");
        Ok(Package {
            name: name.to_owned(),
            summary: raw.summary,
            source: raw.source,
            build: raw.build,
            programs: raw.program,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn package(program: &str) -> Result<Package> {
        let hash = "0".repeat(64);
        let source = format!(
            "[source]\npackage = 'pv'\nfile = 'pv_1.orig.tar.gz'\nsha256 = '{hash}'\nlicense = 'MIT'\nsuites = ['s']"
        );
        let text =
            format!("summary = 's'\n{source}\n[build]\ncommands = ['make']\n[[program]]\npath = 'pv'\n{program}");
        Package::validate("pv", parse(&text)?)
    }

    #[test]
    fn a_check_is_one_command_and_has_what_it_needs() {
        let check = |text: &str| package(&format!("[[program.check]]\nname = 'works'\n{text}"));
        assert_eq!(check("guest = 'pv --version'").unwrap().programs[0].cpus, 1);
        insta::assert_snapshot!(check("").unwrap_err(), @"check `works` needs a command: either `host` or `guest`");
        insta::assert_snapshot!(
            check("host = 'curl localhost:$PORT'").unwrap_err(),
            @"check `works` runs on the host, but `pv` has no port"
        );
        insta::assert_snapshot!(package("check = []").unwrap_err(), @"program `pv` has no check");
    }
}
