//! Bochs and what makes its discs, beside the system: the packages of a newer Debian, run by that one's own loader.

use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use ukl_sources::apt;

const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const LOADER: &str = "ld-linux-x86-64.so.2";

/// The folder with the packages.
#[derive(Debug)]
pub(super) struct Root(PathBuf);

impl Root {
    /// The packages of a suite with all that they need, from the cache or by apt, which checks Debian's signatures.
    pub(super) fn prepare(ctx: &Ctx, suite: &str, packages: &[String]) -> Result<Self> {
        let key = Key::new("bochs-root-v1").str(suite).str(&packages.join(" "));
        let dir = ctx.cache.step("bochs-root", &key, |out| {
            let scratch = ctx.cache.scratch()?;
            apt::unpack_with_dependencies(scratch.path(), suite, packages, out)
        })?;
        Ok(Root(dir))
    }

    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// A program of the root, found and run as if the root were the system's.
    fn program(&self, path: &str) -> Command {
        let libraries = self.file(LIBRARIES);
        let mut command = Command::new(libraries.join(LOADER));
        command.arg("--library-path").arg(libraries).arg(self.file(path));
        command
    }

    /// The BIOS and that of the graphics card.
    pub(super) fn firmware(&self) -> (PathBuf, PathBuf) {
        (self.file("usr/share/bochs/BIOS-bochs-latest"), self.file("usr/share/bochs/VGABIOS-lgpl-latest"))
    }

    /// Runs a machine as its file says.
    pub(super) fn bochs(&self, file: &Path) -> Command {
        let mut command = self.program("usr/bin/bochs-bin");
        command.arg("-q").arg("-f").arg(file);
        command.env("LTDL_LIBRARY_PATH", self.file(LIBRARIES).join("bochs/plugins"));
        command.env("BXSHARE", self.file("usr/share/bochs"));
        command
    }

    /// Writes a folder with isolinux on a disc from which a PC boots.
    pub(super) fn make_disc(&self, tree: &Path, disc: &Path) -> Result<()> {
        let mut command = self.program("usr/bin/xorriso");
        command.args(["-as", "mkisofs", "-quiet", "-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"]);
        command.args(["-boot-load-size", "4", "-boot-info-table", "-o"]).arg(disc).arg(tree);
        let output = process::die_with_parent(&mut command).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{}` ended with {}: {said}", process::display(&command), output.status);
        Ok(())
    }
}
