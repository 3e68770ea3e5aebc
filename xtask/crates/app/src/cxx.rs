//! The C++ library and the unwinder of exceptions, compiled for applications from the compiler's own sources. The host's own
//! are for another C library.

use crate::toolchain::Toolchain;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use ukl_host::cache::Key;
use ukl_host::{prebuilt, process};
use ukl_kernel::kernel;
use ukl_repo::ctx::Ctx;
use ukl_sources::fetch;

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
        .str(&kernel::compiler()?)
        .tree(&own)?;
    ctx.cache.step("cxx", &key, |out| {
        let tarball = fetch::fetch(ctx, &source)?;
        let work = ctx.cache.work("build-cxx", &key)?;
        for folder in ["source", "build", "unwinder", "installed"] {
            let folder = work.path.join(folder);
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
            }
            fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        unpack(&tarball, &work.path)?;
        standard_library(ctx, toolchain, &work.path)?;
        unwinder(toolchain, &work.path, &own)?;
        let installed = work.path.join("installed/cxx");
        process::run(Command::new("cp").args(["-r", "--reflink=auto"]).arg(installed.join(".")).arg(out))?;
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
    let mut shell = Command::new("sh");
    shell.args(["-ec", &script]).arg(tarball).current_dir(work);
    process::run_logged("unpacking the compiler's sources", &mut shell, &work.join("unpack.log"))?;
    // Where the library's configure script looks for what a build of libgcc would have put there.
    let threads = work.join("source/libgcc/gthr-default.h");
    std::os::unix::fs::symlink("gthr-posix.h", &threads).with_context(|| format!("linking {}", threads.display()))
}

/// Builds and installs libstdc++ by itself, which its configure script can do.
fn standard_library(ctx: &Ctx, toolchain: &Toolchain, work: &Path) -> Result<()> {
    let build = work.join("build");
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir(&build).env("LC_ALL", "C");
        for name in ["MAKEFLAGS", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CONFIG_SITE", "CC", "CXX"] {
            command.env_remove(name);
        }
        command
    };
    let mut configure = command(&work.join("source/libstdc++-v3/configure"));
    configure.args(["--build=x86_64-pc-linux-gnu", "--host=x86_64-linux-musl", "--prefix=/cxx"]);
    configure.args(["--with-gxx-include-dir=/cxx/include/c++", "--disable-shared", "--enable-static"]);
    configure.args([
        "--disable-multilib",
        "--disable-nls",
        "--disable-libstdcxx-pch",
        "--disable-libstdcxx-filesystem-ts",
    ]);
    configure.arg(format!("CC={}", toolchain.cc().display())).arg(format!("CXX={}", toolchain.cxx().display()));
    configure.args(["AR=ar", "RANLIB=ranlib"]);
    configure.arg(format!("CFLAGS={FLAGS}")).arg(format!("CXXFLAGS={FLAGS}"));
    process::run_logged("configuring libstdc++", &mut configure, &work.join("configure.log"))?;
    let mut make = command(Path::new("make"));
    make.arg(format!("-j{}", ctx.jobs));
    process::run_logged("building libstdc++", &mut make, &work.join("make.log"))?;
    let mut install = command(Path::new("make"));
    install.arg("install").arg(format!("DESTDIR={}", work.join("installed").display()));
    process::run_logged("installing libstdc++", &mut install, &work.join("install.log"))?;
    // What the library was compiled with holds for the programs that include its headers.
    let defines = work.join("installed/cxx/include/c++/x86_64-linux-musl/bits/os_defines.h");
    let text = fs::read_to_string(&defines).with_context(|| format!("reading {}", defines.display()))?;
    let text = text.replacen("#define", "#define _GLIBCXX_GTHREAD_USE_WEAK 0\n#define", 1);
    fs::write(&defines, text).with_context(|| format!("writing {}", defines.display()))
}

/// Compiles the unwinder and puts it into the library: whoever links C++ links this.
fn unwinder(toolchain: &Toolchain, work: &Path, own: &Path) -> Result<()> {
    let (folder, libgcc) = (work.join("unwinder"), work.join("source/libgcc"));
    for (name, is) in HEADERS {
        let text = if is.is_empty() { String::new() } else { format!("#include \"{}\"\n", libgcc.join(is).display()) };
        fs::write(folder.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    let library = work.join("installed/cxx/lib/libstdc++.a");
    let mut archive = Command::new("ar");
    archive.arg("rs").arg(&library).current_dir(&folder);
    for name in UNWINDER {
        let source = if own.join(name).is_file() { own.join(name) } else { libgcc.join(name) };
        let mut compile = Command::new(toolchain.cc());
        compile.args(FLAGS.split(' ')).args(["-fexceptions", "-fbuilding-libgcc", "-DIN_LIBGCC2", "-I."]);
        compile.arg("-I").arg(own).arg("-I").arg(&libgcc).arg("-I").arg(work.join("source/include"));
        process::run(compile.arg("-c").arg(&source).current_dir(&folder))?;
        archive.arg(Path::new(name).with_extension("o"));
    }
    process::run(&mut archive)
}
