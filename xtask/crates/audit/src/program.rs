//! A program given by its path: what ukl-cc linked, wherever it lies.

mod app;

pub use app::{Options, app, name_of};

use anyhow::Result;
use fs_err as fs;
use object::{Architecture, Object, ObjectKind, ObjectSection};
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_ld::{OBJECT_SECTION, OBJECT_SUFFIX};

/// What an ELF file for this machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the compiler makes of one source, or `ld -r` of several.
    Object,
    /// What can be started.
    Program,
}

/// What to do with a program that was not made for this.
const LINK_IT: &str = "link it with ukl-cc (`CC=ukl-cc make`, see `cargo xtask toolchain`)";

/// What a file is; an error says what else it is, and what to do about that.
pub fn kind(path: &Path, data: &[u8]) -> Result<Kind> {
    let shown = path.display();
    let refuse = |what: String, next: &str| Err(Failure::new(format!("{shown} {what}"), next));
    let compile = "compile it for x86-64: with ukl-cc, or gcc -m64";
    if data.starts_with(b"!<arch>\n") {
        return refuse(
            "is an archive, not a program or an object".to_owned(),
            "link a program with it: ukl-cc -o PROGRAM … FILE.a",
        );
    }
    let file = match object::File::parse(data) {
        Ok(file) => file,
        Err(error) => {
            let next =
                "name a program that ukl-cc linked, or an object that `gcc -c` made; a script has no object in it";
            return refuse(format!("is no 64-bit ELF file: {error}"), next);
        }
    };
    if file.architecture() != Architecture::X86_64 || !file.is_64() {
        let bits = if file.is_64() { 64 } else { 32 };
        return refuse(format!("is for {:?} ({bits} bits); x86-64 was expected", file.architecture()), compile);
    }
    match file.kind() {
        ObjectKind::Relocatable => Ok(Kind::Object),
        ObjectKind::Executable => Ok(Kind::Program),
        ObjectKind::Dynamic if file.section_by_name(".interp").is_none() => {
            let next = "link a program with its archive instead (libNAME.a), built with ukl-cc";
            refuse("is a shared library: nothing can load it into a kernel".to_owned(), next)
        }
        ObjectKind::Dynamic => refuse("is linked with shared libraries, for the host's C library".to_owned(), LINK_IT),
        other => refuse(format!("is no program or object ({other:?})"), LINK_IT),
    }
}

/// The object for the kernel that a program has with it, or that lies beside it.
pub fn object(path: &Path, data: &[u8]) -> Result<Vec<u8>> {
    let embedded = object::File::parse(data).ok().and_then(|file| {
        let section = file.section_by_name(OBJECT_SECTION)?;
        section.data().ok().map(<[u8]>::to_vec)
    });
    let beside = PathBuf::from(format!("{}{OBJECT_SUFFIX}", path.display()));
    embedded.or_else(|| fs::read(&beside).ok()).ok_or_else(|| {
        Failure::new(
            format!(
                "{} has no section {OBJECT_SECTION}, and there is no {}: it was not linked by ukl-cc, or the section \
                     was removed (`strip` and `install --strip` of binutils keep it)",
                path.display(),
                beside.display()
            ),
            LINK_IT,
        )
    })
}
