//! The application's compiler: gcc with our headers, libraries, code model and linker.
//!
//! ```text
//! bin/ukl-cc       what an application's build system calls, and bin/ukl-c++
//! bin/ukl-cargo    cargo for applications in Rust (toolchain/rust.rs)
//! bin/ld           ukl-ld, found by gcc through -B
//! include/         C library, kernel and <ukl.h> headers
//! linux/lib, ukl/lib   the two builds of C library and runtime
//! app.lds          the partial link
//! base.o           the system-call stubs of the base path
//! bypass.o         the system call of any number by the kernel's direct entries
//! ```

mod command;
mod folder;
pub mod rust;

pub use command::{Args, run};
pub use folder::{Contents, environment, folder};

use crate::musl::{self, Flavour};
use crate::tools;
use anyhow::{Context, Result, ensure};
use fs_err as fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::{prebuilt, process};
use ukl_kernel::{source, syscalls};
use ukl_repo::config::KernelFlavour;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// The finished toolchain.
#[derive(Clone, Debug)]
pub struct Toolchain {
    pub dir: PathBuf,
}

impl Toolchain {
    /// The compiler for applications, with which both the process and the kernel object come out.
    pub fn cc(&self) -> PathBuf {
        self.dir.join("bin/ukl-cc")
    }

    /// Cargo for applications in Rust: it compiles the standard library, too, and links with [`Self::cc`].
    pub fn cargo(&self) -> PathBuf {
        self.dir.join("bin/ukl-cargo")
    }

    /// The same as `cc` for C++.
    pub fn cxx(&self) -> PathBuf {
        self.dir.join("bin/ukl-c++")
    }

    /// The stubs that the level link of a level without bypass adds.
    pub fn base_stubs(&self) -> PathBuf {
        self.dir.join("base.o")
    }

    /// What the level link of a level with bypass adds to the kernel's own entries.
    pub fn bypass_stubs(&self) -> PathBuf {
        self.dir.join("bypass.o")
    }
}

/// What every application is compiled with. Data has low addresses and text high ones, so symbols need sign-extended
/// 32-bit addresses: the kernel code model. The thread pointer is %fs as in every process; the local-exec model, because
/// the thread-local storage of one static image is at constant offsets from it.
const CODE_FLAGS: &str = "-mcmodel=kernel -fno-pic -fno-pie -ftls-model=local-exec -fcf-protection=none \
                          -mstack-protector-guard=tls -mstack-protector-guard-reg=fs -mstack-protector-guard-offset=40";
/// Options of an application's build system that contradict them, or that make objects which are not machine code yet.
const REFUSED_FLAGS: &str = "%<fPIC %<fpic %<fPIE %<fpie %<pie %<static-pie %<rdynamic %<flto* %<mcmodel=*";

/// Builds the toolchain if its parts have changed.
pub fn toolchain(ctx: &Ctx) -> Result<Toolchain> {
    if let Some(dir) = prebuilt::find("toolchain") {
        return Ok(Toolchain { dir });
    }
    let libraries = [musl::musl(ctx, Flavour::Process)?, musl::musl(ctx, Flavour::Kernel)?];
    let headers = kernel_headers(ctx)?;
    let runtime = ctx.repo.root.join("app-runtime");
    let stubs = stubs(ctx)?;
    let mut key = Key::new("toolchain-v5")
        .str(&stubs[0].1)
        .str(&stubs[1].1)
        .str(&headers.to_string_lossy())
        .str(&source::compiler()?);
    key = key.str(&specs(Path::new("/"), "", ""));
    key = tools::linker_key(ctx, key)?;
    key = match rust::Rust::find(&runtime)? {
        Some(rust) => rust.key(key),
        None => key,
    };
    for library in &libraries {
        key = key.str(&library.to_string_lossy());
    }
    key = key.tree(&runtime.join("src"))?.tree(&runtime.join("include"))?;
    key = key.file(&runtime.join("Cargo.toml"))?.file(&runtime.join("app.lds"))?;
    let place = ctx.cache.step_path("toolchain", &key);
    let dir = ctx.cache.step("toolchain", &key, |out| assemble(ctx, out, &place))?;
    Ok(Toolchain { dir })
}

/// Builds the toolchain into `out`, a folder that will be found at `place`.
pub fn assemble(ctx: &Ctx, out: &Path, place: &Path) -> Result<()> {
    let libraries = [musl::musl(ctx, Flavour::Process)?, musl::musl(ctx, Flavour::Kernel)?];
    let headers = kernel_headers(ctx)?;
    let runtime = ctx.repo.root.join("app-runtime");
    let runtime = runtime.as_path();
    let stubs = stubs(ctx)?;
    for (name, library) in ["linux", "ukl"].iter().zip(&libraries) {
        let lib = out.join(name).join("lib");
        copy(&library.join("lib"), &lib)?;
        runtime_library(runtime, out, name)?;
    }
    copy(&libraries[0].join("include"), &out.join("include"))?;
    copy(&headers.join("include"), &out.join("include"))?;
    copy(&runtime.join("include"), &out.join("include"))?;
    write(&out.join("app.lds"), &fs::read_to_string(runtime.join("app.lds"))?)?;
    let sh = Shell::new()?;
    for (name, text) in &stubs {
        let source = out.join(name).with_extension("s");
        write(&source, text)?;
        let object = source.with_extension("o");
        process::run(cmd!(sh, "gcc -c {source} -o {object}"))?;
    }
    let (source, end) = (out.join("crtend.s"), out.join("linux/lib/crtend.o"));
    write(&source, FRAMES_END)?;
    process::run(cmd!(sh, "gcc -c {source} -o {end}"))?;
    fs::create_dir(out.join("bin"))?;
    let linker = tools::linker(ctx)?;
    // A copy: cargo may replace the program while a build system still calls it.
    fs::copy(&linker, out.join("bin/ld")).with_context(|| format!("copying {} as `ld`", linker.display()))?;
    if let Some(rust) = rust::Rust::find(runtime)? {
        rust.install(out, place)?;
    }
    driver(out, place)
}

/// The end of a program's frame descriptions, which an unwinder reads up to a zero length. In an object that is linked last;
/// gcc's own of this name is made for another C library.
const FRAMES_END: &str = "\t.section .eh_frame, \"a\", @progbits\n\t.balign 4\n\t.long 0\n\
                          \t.section .note.GNU-stack, \"\", @progbits\n";

/// The system-call stubs, by the name of their file.
fn stubs(ctx: &Ctx) -> Result<[(&'static str, String); 2]> {
    let calls = syscalls::read(&source::kernel_source(ctx, KernelFlavour::Vanilla)?)?;
    Ok([("base", syscalls::stubs(&calls)), ("bypass", syscalls::dispatch(&calls))])
}

/// Writes the specs file and the compiler driver. They name the toolchain's final place.
fn driver(out: &Path, place: &Path) -> Result<()> {
    let sh = Shell::new()?;
    let gcc = |option: &str| process::read(cmd!(sh, "gcc {option}"));
    let libgcc = gcc("-print-libgcc-file-name")?;
    let include = gcc("-print-file-name=include")?;
    write(&out.join("ukl.specs"), &specs(place, include.trim(), libgcc.trim()))?;
    let (specs, bin) = (place.join("ukl.specs"), place.join("bin"));
    for (name, compiler) in [("ukl-cc", "gcc"), ("ukl-c++", "g++")] {
        let driver = out.join("bin").join(name);
        let (specs, bin) = (specs.display(), bin.display());
        write(&driver, &format!("#!/bin/sh\nexec {compiler} -specs='{specs}' -B'{bin}/' \"$@\"\n"))?;
        fs::set_permissions(&driver, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A gcc specs file (GCC manual, "Spec Files"): `%<option` removes an option, what self_spec names is added.
fn specs(place: &Path, include: &str, libgcc: &str) -> String {
    let lib = place.join("linux/lib");
    let (place, lib) = (place.display(), lib.display());
    format!(
        "*self_spec:\n{REFUSED_FLAGS} {CODE_FLAGS} -static -no-pie -fno-lto -nostdinc -isystem {place}/include -isystem {include}\n\n\
         *link:\n-m elf_x86_64 %{{shared:-shared}} %{{!r:-static}} -nostdlib -L{lib} -z noexecstack --build-id=none %{{!r:-u ukl_banner -u ukl_paths}}\n\n\
         *startfile:\n{lib}/crt1.o {lib}/crti.o\n\n\
         *endfile:\n{lib}/crtend.o {lib}/crtn.o\n\n\
         *lib:\n--start-group -lc -lukl --end-group\n\n\
         *libgcc:\n{libgcc}\n\n\
         *link_libgcc:\n\n\n"
    )
}

/// Builds the Rust runtime in one flavour and puts it into the toolchain as `libukl.a`.
fn runtime_library(runtime: &Path, out: &Path, flavour: &str) -> Result<()> {
    let target = out.join("runtime-build").join(flavour);
    let sh = process::shell_in(runtime)?;
    let mut cargo = cmd!(sh, "cargo build --release --target x86_64-unknown-none --target-dir {target}");
    if flavour == "linux" {
        cargo = cargo.args(["--features", "process"]);
    }
    let cargo = cargo.env(
        "RUSTFLAGS",
        "-C relocation-model=static -C code-model=kernel -C force-unwind-tables=no -C embed-bitcode=no",
    );
    process::run(process::without_cargo(&mut cargo.into()))?;
    let built = target.join("x86_64-unknown-none/release/libukl_app_runtime.a");
    let installed = out.join(flavour).join("lib/libukl.a");
    fs::copy(&built, &installed)?;
    // The panic handler that every static library of Rust has; an application in Rust brings the one that counts.
    process::run(cmd!(sh, "objcopy --wildcard --weaken-symbol=*rust_begin_unwind {installed}"))?;
    fs::remove_dir_all(out.join("runtime-build")).context("removing the runtime's build folder")
}

/// The kernel's headers for user space: Redis and busybox include some of them.
pub fn kernel_headers(ctx: &Ctx) -> Result<PathBuf> {
    if let Some(dir) = prebuilt::find("kernel-headers") {
        return Ok(dir);
    }
    let pin = ctx.repo.kernel()?;
    let key = Key::new("kernel-headers-v1").str(&pin.source.sha256);
    ctx.cache.step("kernel-headers", &key, |out| {
        let source = source::kernel_source(ctx, KernelFlavour::Vanilla)?;
        let build = out.join("build");
        fs::create_dir(&build)?;
        let (sh, jobs) = (Shell::new()?, ctx.jobs.to_string());
        let make = cmd!(sh, "make -C {source} O={build} -j{jobs} ARCH=x86 headers");
        let logs = ctx.cache.root().join("logs");
        fs::create_dir_all(&logs)?;
        process::run_logged("kernel headers", make, &logs.join("kernel-headers.log"))?;
        let (from, to) = (build.join("usr/include"), out.join("include"));
        for entry in walkdir::WalkDir::new(&from).sort_by_file_name() {
            let entry = entry.context("listing the kernel's headers")?;
            let target = to.join(entry.path().strip_prefix(&from)?);
            if entry.file_type().is_dir() {
                fs::create_dir_all(&target)?;
            } else if entry.path().extension().is_some_and(|extension| extension == "h") {
                fs::copy(entry.path(), &target)?;
            }
        }
        ensure!(to.join("linux/version.h").is_file(), "`make headers` made no linux/version.h");
        fs::remove_dir_all(&build).context("removing the header build")
    })
}

/// Copies the contents of a folder into another, which may exist. Writable, although what Nix keeps is not.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let (sh, contents) = (Shell::new()?, from.join("."));
    process::run(cmd!(sh, "cp -r --no-preserve=mode --reflink=auto {contents} {to}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    Ok(fs::write(path, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specs_name_only_our_places() {
        insta::assert_snapshot!(specs(Path::new("/t"), "/gcc/include", "/gcc/libgcc.a"));
    }
}
