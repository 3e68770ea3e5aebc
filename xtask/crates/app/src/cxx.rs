//! The C++ library and the unwinder of exceptions, compiled for applications from the compiler's own sources. The host's own
//! are for another C library.

use crate::toolchain::Toolchain;
use anyhow::{Context, Result, ensure};
use fs_err as fs;
use fs_err::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::{prebuilt, process};
use ukl_kernel::source;
use ukl_repo::ctx::Ctx;
use ukl_sources::fetch;
use xshell::{Cmd, Shell, cmd};

/// The pin.
const PIN: &str = "app-runtime/cxx/gcc.toml";
/// Of the compiler's sources: what the library and its configure script read.
const PARTS: [&str; 19] = [
    "libstdc++-v3",
    "libgcc",
    "libiberty",
    "include",
    "config",
    "config-ml.in",
    "config.sub",
    "config.guess",
    "compile",
    "depcomp",
    "install-sh",
    "ltmain.sh",
    "missing",
    "mkinstalldirs",
    "move-if-change",
    "symlink-tree",
    "gcc/BASE-VER",
    "gcc/DATESTAMP",
    "gcc/DEV-PHASE",
];
/// Threads are always there in a static program: nobody has to find out by weak symbols, which the linker would leave empty.
const FLAGS: &str = "-O2 -DGTHREAD_USE_WEAK=0 -D_GLIBCXX_GTHREAD_USE_WEAK=0";
/// The unwinder's sources, in libgcc/ of the compiler or in app-runtime/cxx.
const UNWINDER: [&str; 3] = ["frames.c", "unwind-dw2.c", "unwind-c.c"];
/// Headers that the unwinder includes and that a build of the compiler would have made: name, and what it is, if not empty.
const HEADERS: [(&str, &str); 8] = [
    ("auto-target.h", ""),
    ("coretypes.h", ""),
    ("libgcc_tm.h", ""),
    ("tconfig.h", ""),
    ("tm.h", ""),
    ("gthr-default.h", "gthr-posix.h"),
    ("md-unwind-support.h", "config/i386/linux-unwind.h"),
    ("unwind.h", "unwind-generic.h"),
];

/// The folder with `include/c++` and `lib/libstdc++.a`.
pub fn library(ctx: &Ctx, toolchain: &Toolchain) -> Result<PathBuf> {
    if let Some(dir) = prebuilt::find("cxx") {
        return Ok(dir);
    }
    let source = ctx.repo.source(PIN)?;
    let own = ctx.repo.root.join("app-runtime/cxx");
    let key = Key::new("cxx-v1")
        .str(include_str!("cxx.rs"))
        .str(&source.sha256)
        .str(&toolchain.dir.to_string_lossy())
        .str(&source::compiler()?)
        .tree(&own)?;
    ctx.cache.step("cxx", &key, |out| {
        let tarball = fetch::fetch(ctx, &source)?;
        let work = ctx.cache.work("build-cxx", &key)?;
        for folder in ["source", "build", "unwinder", "installed"] {
            let folder = work.path.join(folder);
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir(&folder)?;
        }
        unpack(&tarball, &work.path)?;
        standard_library(ctx, toolchain, &work.path)?;
        unwinder(toolchain, &work.path, &own)?;
        let (sh, installed) = (Shell::new()?, work.path.join("installed/cxx/."));
        process::run(cmd!(sh, "cp -r --reflink=auto {installed} {out}"))?;
        ensure!(out.join("lib/libstdc++.a").is_file(), "the build of libstdc++ succeeded, but there is no libstdc++.a");
        fs::remove_dir_all(work.path.join("source")).context("removing the compiler's sources")?;
        fs::remove_dir_all(work.path.join("build")).context("removing the build")
    })
}

/// Unpacks the parts that are needed of the tarball within the tarball.
fn unpack(tarball: &Path, work: &Path) -> Result<()> {
    let parts = PARTS.map(|part| format!("'*/{part}'")).join(" ");
    // The tests of the library, but for what its configure script looks at, are half of its files.
    let script = format!(
        "tar --extract --gzip --to-stdout --wildcards --file \"$0\" '*/gcc-*.tar.xz' | tar --extract --xz --wildcards \
         --no-same-owner --strip-components=1 --exclude='*/testsuite/*/*' --directory source {parts}"
    );
    let sh = process::shell_in(work)?;
    let shell = cmd!(sh, "sh -ec {script} {tarball}");
    process::run_logged("unpacking the compiler's sources", shell, &work.join("unpack.log"))?;
    // Where the library's configure script looks for what a build of libgcc would have put there.
    let threads = work.join("source/libgcc/gthr-default.h");
    Ok(symlink("gthr-posix.h", &threads)?)
}

/// A command without the settings of our caller.
fn alone(command: Cmd<'_>) -> Cmd<'_> {
    let names = ["MAKEFLAGS", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CONFIG_SITE", "CC", "CXX"];
    names.into_iter().fold(command.env("LC_ALL", "C"), |command, name| command.env_remove(name))
}

/// Builds and installs libstdc++ by itself, which its configure script can do.
fn standard_library(ctx: &Ctx, toolchain: &Toolchain, work: &Path) -> Result<()> {
    let sh = process::shell_in(&work.join("build"))?;
    let (configure, cc, cxx) = (work.join("source/libstdc++-v3/configure"), toolchain.cc(), toolchain.cxx());
    let options = [
        "--build=x86_64-pc-linux-gnu",
        "--host=x86_64-linux-musl",
        "--prefix=/cxx",
        "--with-gxx-include-dir=/cxx/include/c++",
        "--disable-shared",
        "--enable-static",
        "--disable-multilib",
        "--disable-nls",
        "--disable-libstdcxx-pch",
        "--disable-libstdcxx-filesystem-ts",
    ];
    let tools = cmd!(sh, "{configure} {options...} CC={cc} CXX={cxx} AR=ar RANLIB=ranlib");
    let configure = tools.args([format!("CFLAGS={FLAGS}"), format!("CXXFLAGS={FLAGS}")]);
    process::run_logged("configuring libstdc++", alone(configure), &work.join("configure.log"))?;
    let (jobs, installed) = (ctx.jobs.to_string(), work.join("installed"));
    process::run_logged("building libstdc++", alone(cmd!(sh, "make -j{jobs}")), &work.join("make.log"))?;
    let install = cmd!(sh, "make install DESTDIR={installed}");
    process::run_logged("installing libstdc++", alone(install), &work.join("install.log"))?;
    // What the library was compiled with holds for the programs that include its headers.
    let defines = work.join("installed/cxx/include/c++/x86_64-linux-musl/bits/os_defines.h");
    let text = fs::read_to_string(&defines)?;
    let text = text.replacen("#define", "#define _GLIBCXX_GTHREAD_USE_WEAK 0\n#define", 1);
    Ok(fs::write(&defines, text)?)
}

/// Compiles the unwinder and puts it into the library: whoever links C++ links this.
fn unwinder(toolchain: &Toolchain, work: &Path, own: &Path) -> Result<()> {
    let (folder, libgcc) = (work.join("unwinder"), work.join("source/libgcc"));
    for (name, is) in HEADERS {
        let text = if is.is_empty() { String::new() } else { format!("#include \"{}\"\n", libgcc.join(is).display()) };
        fs::write(folder.join(name), text)?;
    }
    let library = work.join("installed/cxx/lib/libstdc++.a");
    let (sh, cc, include) = (process::shell_in(&folder)?, toolchain.cc(), work.join("source/include"));
    let mut archive = cmd!(sh, "ar rs {library}");
    for name in UNWINDER {
        let source = if own.join(name).is_file() { own.join(name) } else { libgcc.join(name) };
        let flags = FLAGS.split(' ').chain(["-fexceptions", "-fbuilding-libgcc", "-DIN_LIBGCC2", "-I."]);
        process::run(cmd!(sh, "{cc} {flags...} -I {own} -I {libgcc} -I {include} -c {source}"))?;
        archive = archive.arg(Path::new(name).with_extension("o"));
    }
    process::run(archive)
}
