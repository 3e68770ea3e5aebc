//! A program as an application: what its manifest would say if it had one.

use super::{Kind, kind};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_repo::config::{App, AppBuild, Commands, GuestSettings, MEMORY_MIB, Ready};

/// Bytes of an application's name in an image.
const NAME_BYTES: usize = 31;

/// What else is said about a program.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// TCP ports it listens on; it is ready when it listens on the first. Without any it runs to its end.
    pub ports: Vec<u16>,
    /// Files for the guest: path there, absolute, and path here.
    pub files: BTreeMap<String, PathBuf>,
}

/// The application that a program is.
pub fn app(path: &Path, options: Options) -> Result<App> {
    let Ok(program) = path.canonicalize() else {
        return Err(Failure::usage(
            format!("`{}` does not exist", path.display()),
            "build it with ukl-cc (`cargo xtask toolchain` says how), or name an application of apps/, such as hello",
        ));
    };
    let data = std::fs::read(&program).map_err(|error| {
        Failure::new(format!("{} cannot be read: {error}", path.display()), "name the file of a program")
    })?;
    if kind(path, &data)? == Kind::Object {
        return Err(Failure::new(
            format!("{} is an object, not a program", path.display()),
            format!("link it: ukl-cc -o PROGRAM {}", path.display()),
        ));
    }
    // Now, and not after the kernel has been built.
    super::object(path, &data)?;
    for (target, file) in &options.files {
        if !file.is_file() {
            return Err(Failure::usage(
                format!("{} is no file", file.display()),
                "give --file HOST:GUEST a file of this machine",
            ));
        }
        if !target.starts_with('/') || target.ends_with('/') {
            return Err(Failure::usage(
                format!("`{target}` is no place for a file in the guest"),
                "give --file HOST:GUEST an absolute path there, such as /etc/my.conf",
            ));
        }
    }
    let executable = PathBuf::from(program.file_name().context("a program has a name")?);
    Ok(App {
        name: name_of(&executable),
        dir: program.parent().context("a program lies in a folder")?.to_owned(),
        summary: path.display().to_string(),
        source: None,
        libraries: vec![],
        build: AppBuild { configure: Commands::NONE, commands: Commands::NONE, executable, tools: BTreeMap::new() },
        guest: GuestSettings {
            args: vec![],
            ready: options.ports.first().map_or(Ready::Exit, |port| Ready::Tcp(*port)),
            ports: options.ports,
            memory_mib: MEMORY_MIB,
            disk_mib: None,
            files: options.files,
        },
        parties: None,
        skip_levels: BTreeMap::new(),
        beside: vec![],
        program: Some(program),
    })
}

/// The name of the application that a program becomes, wherever it lies.
pub fn name_of(program: &Path) -> String {
    name(&program.file_name().unwrap_or_default().to_string_lossy())
}

/// A name for the image that is like the file's: 1 to 31 of a-z, 0-9, `-` and `_`.
fn name(file: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    file.chars().take(NAME_BYTES).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_an_image() {
        assert_eq!(name("a.out"), "a_out");
        assert_eq!(name("t\u{e9}l\u{e9}vision"), "t_l_vision");
        assert_eq!(name(&"x".repeat(100)).len(), NAME_BYTES);
    }
}
