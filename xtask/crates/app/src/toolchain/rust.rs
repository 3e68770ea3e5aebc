//! Cargo for applications in Rust: `ukl-cargo` compiles a program and its standard library for the kernel's code model and
//! links both with `ukl-cc`, so that the program comes out twice like any other.

use anyhow::Result;
use fs_err as fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::repo::GUEST_TARGET;
use xshell::cmd;

/// The Rust compiler of this repository, with what an application needs of it.
#[derive(Clone, Debug)]
pub struct Rust {
    /// What it calls itself, version and commit.
    version: String,
    /// Its folder: `bin/rustc`, `lib/rustlib`.
    sysroot: PathBuf,
    /// LLVM's unwinder for musl, which comes with the target. It finds frames by `dl_iterate_phdr`.
    unwinder: PathBuf,
}

impl Rust {
    /// The compiler that `app-runtime` is compiled with; `None` when it has nothing for musl, which only applications in
    /// Rust need.
    pub fn find(runtime: &Path) -> Result<Option<Self>> {
        let sh = process::shell_in(runtime)?;
        let sysroot = PathBuf::from(process::read(cmd!(sh, "rustc --print sysroot"))?.trim());
        let unwinder = sysroot.join("lib/rustlib").join(GUEST_TARGET).join("lib/self-contained/libunwind.a");
        let version = process::read(cmd!(sh, "rustc --version --verbose"))?;
        Ok(unwinder.is_file().then_some(Rust { version, sysroot, unwinder }))
    }

    /// Adds what the toolchain gets from here.
    pub fn key(&self, key: Key) -> Key {
        key.str(&self.version).str(&self.script(Path::new("/")))
    }

    /// Puts `ukl-cargo` and the unwinder into the toolchain that is made in `out` and will be found at `place`.
    pub fn install(&self, out: &Path, place: &Path) -> Result<()> {
        for flavour in ["linux", "ukl"] {
            let library = out.join(flavour).join("lib/libunwind.a");
            fs::copy(&self.unwinder, &library)?;
        }
        let script = out.join("bin/ukl-cargo");
        fs::write(&script, self.script(place))?;
        Ok(fs::set_permissions(&script, Permissions::from_mode(0o755))?)
    }

    /// The program. Its flags, in their order: addresses and thread-local storage as `CODE_FLAGS` says; calls without a global
    /// offset table; `rustix`, which most programs with a terminal or files have, calls the C library and makes no system calls of
    /// its own; no start files, C library and linker but ours; no path of this machine in the program.
    fn script(&self, place: &Path) -> String {
        let sysroot = self.sysroot.display();
        let sources = self.sysroot.join("lib/rustlib/src/rust");
        let (sources, cc) = (sources.display(), place.join("bin/ukl-cc"));
        let cxx = place.join("bin/ukl-c++");
        let (cc, cxx) = (cc.display(), cxx.display());
        let (variable, lower) = (GUEST_TARGET.to_uppercase().replace('-', "_"), GUEST_TARGET.replace('-', "_"));
        format!(
            r#"#!/bin/sh
# cargo for programs that can be linked into the Linux kernel; docs/rust.md says how and why.
set -eu
if ! [ -f '{sources}/library/Cargo.lock' ]; then
    echo 'ukl-cargo: the sources of the standard library are not in {sources}' >&2
    echo ' next: run `rustup component add rust-src` in the checkout of ukl' >&2
    exit 1
fi
encoded() {{
    printf '%s\037' "$@"
}}
flags=$(encoded -Crelocation-model=static -Ccode-model=kernel -Ztls-model=local-exec -Zplt=yes --cfg=ukl --cfg=rustix_use_libc \
    -Clink-self-contained=no -Ctarget-feature=+crt-static -Clink-arg=-Wl,--start-group,-lc,-lukl,--end-group \
    "--remap-path-prefix=${{CARGO_HOME:-${{HOME-}}/.cargo}}=/cargo" '--remap-path-prefix={sources}=/rust' ${{RUSTFLAGS-}})
export CARGO_ENCODED_RUSTFLAGS="${{flags%?}}"
export PATH='{sysroot}/bin':"$PATH"
# The standard library is compiled with this compiler and no other, which is what its unstable features need.
export RUSTC_BOOTSTRAP=1
export CARGO_BUILD_TARGET={GUEST_TARGET}
export CARGO_TARGET_{variable}_LINKER='{cc}'
# For build scripts that compile C or C++.
export CC_{lower}='{cc}' CXX_{lower}='{cxx}' AR_{lower}=ar
exec cargo -Zbuild-std=std,panic_abort "$@"
"#
        )
    }
}

/// Stops a build in Rust with a compiler that cannot.
pub fn require(cargo: &Path) -> Result<()> {
    if cargo.is_file() {
        return Ok(());
    }
    Err(Failure::new(
        format!("{{cargo}} needs Rust's target {GUEST_TARGET}, which this compiler has not"),
        format!("run `rustup target add {GUEST_TARGET}` and `rustup component add rust-src` in the checkout"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_names_only_its_own_places() {
        let rust = Rust { version: String::new(), sysroot: "/rust".into(), unwinder: "/u.a".into() };
        insta::assert_snapshot!(rust.script(Path::new("/t")));
    }

    #[test]
    fn a_toolchain_without_cargo_says_what_to_add() {
        let dir = tempfile::tempdir().unwrap();
        let cargo = dir.path().join("ukl-cargo");
        insta::assert_snapshot!(
            require(&cargo).unwrap_err(),
            @"{cargo} needs Rust's target x86_64-unknown-linux-musl, which this compiler has not"
        );
        fs::write(&cargo, "").unwrap();
        require(&cargo).unwrap();
    }
}
