//! Parts that somebody else has built already, such as Nix: looked up before anything is built.
//!
//! `UKL_PREBUILT` names folders, separated by colons, in the layout that `cargo xtask part` writes:
//!
//! ```text
//! sources/FILE                  a pinned tarball
//! kernel-source/FLAVOUR/        the tree, patched for `ukl`
//! kernel-headers/include/       for user space
//! config/FLAVOUR/config         the complete configuration
//! musl/process, musl/kernel     the two builds of the C library
//! toolchain/                    the applications' compiler
//! cxx/                          the C++ library: include and lib
//! library/NAME/                 include and lib
//! app/NAME/                     the program and its object
//! busybox/busybox
//! object/APP/LEVEL/app.o        what `make UKL_APP=` takes
//! image/APP/LEVEL/              bzImage and vmlinux
//! ```
//!
//! What lies there is taken as it is: whoever hands in parts answers for their being the right ones, and for the tools.

use std::path::{Path, PathBuf};

/// The part `name`, in the first folder that has it.
pub fn find(name: &str) -> Option<PathBuf> {
    find_in(&std::env::var_os("UKL_PREBUILT")?, name)
}

/// Whether parts are handed in at all. The machine is not examined then: its tools are the caller's as well.
pub fn in_use() -> bool {
    std::env::var_os("UKL_PREBUILT").is_some()
}

fn find_in(folders: &std::ffi::OsStr, name: &str) -> Option<PathBuf> {
    let folders = std::env::split_paths(folders).filter(|folder| folder != Path::new(""));
    folders.map(|folder| folder.join(name)).find(|part| part.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_has_a_part_wins() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let folders = std::env::join_paths(dirs.iter().map(|dir| dir.path())).unwrap();
        assert_eq!(find_in(&folders, "toolchain"), None);
        fs_err::create_dir(dirs[1].path().join("toolchain")).unwrap();
        assert_eq!(find_in(&folders, "toolchain"), Some(dirs[1].path().join("toolchain")));
        fs_err::create_dir(dirs[0].path().join("toolchain")).unwrap();
        assert_eq!(find_in(&folders, "toolchain"), Some(dirs[0].path().join("toolchain")));
        assert_eq!(find_in(std::ffi::OsStr::new(""), "toolchain"), None);
    }
}
