//! The folder for PATH: the toolchain under the names that build systems ask for, and what tells each of them about it.
//!
//! ```text
//! bin/ukl-cc ukl-c++ ukl-ar …   compilers, and binutils under our prefix
//! bin/ukl-pkg-config            knows the libraries asked for, and none of the host's
//! config.site                   autoconf's defaults (CONFIG_SITE)
//! toolchain.cmake               cmake -DCMAKE_TOOLCHAIN_FILE=
//! cross.ini                     meson setup --cross-file
//! lib/pkgconfig                 the libraries' .pc files
//! ```

use super::Toolchain;
use crate::{cxx, library};
use anyhow::{Context, Result};
use fs_err as fs;
use fs_err::os::unix::fs::symlink;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// Programs of binutils that do for our objects what they do for others.
const BINUTILS: [&str; 8] = ["ar", "ranlib", "nm", "strip", "objcopy", "objdump", "readelf", "size"];

/// The files that are filled in, by their name here; `@NAME@` is replaced.
const TEMPLATES: [(&str, &str); 4] = [
    ("config.site", include_str!("templates/config.site")),
    ("toolchain.cmake", include_str!("templates/toolchain.cmake")),
    ("cross.ini", include_str!("templates/cross.ini")),
    ("bin/ukl-pkg-config", include_str!("templates/ukl-pkg-config")),
];

/// What the folder has beside the compiler for C; it is built if need be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents<'a> {
    /// The compiler for C++, with its library.
    pub cxx: bool,
    /// Files of `apps/libraries/`, without `.toml`.
    pub libraries: &'a [String],
}

/// Makes the folder.
pub fn folder(ctx: &Ctx, toolchain: &Toolchain, contents: Contents) -> Result<PathBuf> {
    let mut key = Key::new("path-v1").str(include_str!("folder.rs")).str(&toolchain.dir.to_string_lossy());
    for (name, text) in TEMPLATES {
        key = key.str(name).str(text);
    }
    let mut prefixes = Vec::new();
    for name in contents.libraries {
        let prefix = library::library(ctx, toolchain, &ctx.repo.library(name)?)?;
        key = key.str(&prefix.to_string_lossy());
        prefixes.push(prefix);
    }
    let cxx = if contents.cxx { Some(cxx::library(ctx, toolchain)?) } else { None };
    let cxx = cxx_driver(toolchain, cxx.as_deref());
    key = key.str(&cxx);
    let place = ctx.cache.step_path("path", &key);
    ctx.cache.step("path", &key, |out| {
        fill(out, &place, toolchain, &prefixes)?;
        script(&out.join("bin/ukl-c++"), &cxx)
    })
}

/// Fills `out`, which will be found at `place`.
fn fill(out: &Path, place: &Path, toolchain: &Toolchain, prefixes: &[PathBuf]) -> Result<()> {
    for folder in ["bin", "lib/pkgconfig"] {
        fs::create_dir_all(out.join(folder))?;
    }
    link(&toolchain.cc(), &out.join("bin/ukl-cc"))?;
    let sh = Shell::new()?;
    for name in BINUTILS {
        let ask = format!("command -v {name}");
        let program = process::read(cmd!(sh, "sh -c {ask}"))?;
        link(Path::new(program.trim()), &out.join(format!("bin/ukl-{name}")))?;
    }
    for prefix in prefixes {
        let configs = fs::read_dir(prefix.join("lib/pkgconfig")).into_iter().flatten();
        for config in configs {
            let config = config.with_context(|| format!("listing {}", prefix.display()))?;
            link(&config.path(), &out.join("lib/pkgconfig").join(config.file_name()))?;
        }
    }
    let own = [toolchain.dir.join("linux"), toolchain.dir.clone()];
    let roots: Vec<_> = prefixes.iter().chain(&own).map(|root| root.display().to_string()).collect();
    let roots = roots.join(";");
    for (name, text) in TEMPLATES {
        let text = text.replace("@PLACE@", &place.to_string_lossy()).replace("@ROOTS@", &roots);
        let path = out.join(name);
        fs::write(&path, text)?;
    }
    executable(&out.join("bin/ukl-pkg-config"))
}

/// The compiler for C++; one that says what to do when its library was not asked for.
fn cxx_driver(toolchain: &Toolchain, library: Option<&Path>) -> String {
    let compiler = toolchain.cxx();
    let compiler = compiler.display();
    let Some(library) = library.map(Path::display) else {
        let next = "cargo xtask toolchain --cxx";
        return format!("#!/bin/sh\necho 'ukl-c++: there is no C++ library here; `{next}` builds it' >&2\nexit 1\n");
    };
    // A process finds the frames of exceptions through this header; cxx/frames.c has the kernel's way.
    format!(
        "#!/bin/sh\nexec '{compiler}' -isystem '{library}/include/c++' -isystem '{library}/include/c++/x86_64-linux-musl' \
         -L'{library}/lib' -Wl,--eh-frame-hdr \"$@\"\n"
    )
}

fn script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    executable(path)
}

fn executable(path: &Path) -> Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(0o755))?)
}

fn link(target: &Path, name: &Path) -> Result<()> {
    Ok(symlink(target, name)?)
}

/// What a shell is told so that a build finds everything: names and values.
pub fn environment(place: &Path) -> Vec<(&'static str, String)> {
    let inside = |name: &str| place.join(name).display().to_string();
    vec![
        ("PATH", format!("{}:{}", inside("bin"), std::env::var("PATH").unwrap_or_default())),
        ("CC", "ukl-cc".to_owned()),
        ("CXX", "ukl-c++".to_owned()),
        ("AR", "ukl-ar".to_owned()),
        ("RANLIB", "ukl-ranlib".to_owned()),
        ("NM", "ukl-nm".to_owned()),
        ("STRIP", "ukl-strip".to_owned()),
        ("PKG_CONFIG", "ukl-pkg-config".to_owned()),
        ("PKG_CONFIG_LIBDIR", inside("lib/pkgconfig")),
        ("CONFIG_SITE", inside("config.site")),
        ("CMAKE_TOOLCHAIN_FILE", inside("toolchain.cmake")),
        ("UKL_CROSS_FILE", inside("cross.ini")),
    ]
}
