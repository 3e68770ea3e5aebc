//! What the build and the guest need from the machine, as Debian packages and what shows that they are there.

use std::fmt;
use std::path::PathBuf;

/// What shows that a package's content is there, whoever installed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// A program in `PATH`.
    Program(&'static str),
    /// A header in the system's include folders.
    Header(&'static str),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program(name) => write!(f, "the program {name}"),
            Header(name) => write!(f, "the header {name}"),
        }
    }
}

/// One Debian package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub package: &'static str,
    pub probe: Probe,
    /// What it is for.
    pub purpose: &'static str,
    /// Something replaces it, with a warning from whoever uses it.
    pub optional: bool,
}

const fn need(package: &'static str, probe: Probe, purpose: &'static str) -> Need {
    Need { package, probe, purpose, optional: false }
}

use Probe::{Header, Program};

/// Everything, in the order in which it is shown.
pub(super) const NEEDS: &[Need] = &[
    need("gcc", Program("gcc"), "compiles the kernel and the applications"),
    need("libc6-dev", Header("stdio.h"), "the kernel's build programs"),
    need("make", Program("make"), "builds the kernel and the applications"),
    need("flex", Program("flex"), "the kernel's configuration language"),
    need("bison", Program("bison"), "the kernel's configuration language"),
    need("bc", Program("bc"), "the kernel's time constants"),
    need("libelf-dev", Header("libelf.h"), "the kernel's objtool"),
    need("linux-libc-dev", Header("linux/types.h"), "kernel headers for programs"),
    need("patch", Program("patch"), "applies the patch series"),
    need("xz-utils", Program("xz"), "unpacks the kernel"),
    need("bzip2", Program("bzip2"), "unpacks busybox"),
    need("qemu-system-x86", Program("qemu-system-x86_64"), "the virtual machine"),
    need("e2fsprogs", Program("mke2fs"), "the virtual machine's data disk"),
    Need { optional: true, ..need("passt", Program("passt"), "the virtual machine's network") },
];

/// The folders that a package's probe looks into.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub programs: Vec<PathBuf>,
    pub headers: Vec<PathBuf>,
}

impl Places {
    /// This machine's.
    pub(super) fn of_this_machine() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Places {
            // Debian keeps administration programs outside the PATH of ordinary users.
            programs: std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from)).collect(),
            headers: ["/usr/include", "/usr/include/x86_64-linux-gnu"].map(PathBuf::from).to_vec(),
        }
    }

    /// Whether what a need stands for is there.
    pub(super) fn have(&self, need: &Need) -> bool {
        let (dirs, name) = match need.probe {
            Program(name) => (&self.programs, name),
            Header(name) => (&self.headers, name),
        };
        dirs.iter().any(|dir| dir.join(name).is_file())
    }

    /// The needs that are not there.
    pub(super) fn missing(&self) -> Vec<Need> {
        NEEDS.iter().filter(|need| !self.have(need)).copied().collect()
    }
}

/// Package names for a command line.
pub(super) fn packages(needs: &[Need]) -> Vec<&'static str> {
    needs.iter().map(|need| need.package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_folders_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(dir.path().join("linux")).unwrap();
        for file in ["gcc", "make", "linux/types.h"] {
            fs_err::write(dir.path().join(file), "").unwrap();
        }
        let places = Places { programs: vec![dir.path().to_owned()], headers: vec![dir.path().to_owned()] };
        insta::assert_snapshot!(
            packages(&places.missing()).join(" "),
            @"libc6-dev flex bison bc libelf-dev patch xz-utils bzip2 qemu-system-x86 e2fsprogs passt"
        );
    }
}
