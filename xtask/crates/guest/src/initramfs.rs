//! The guest's file system: busybox, init, the application or its stub, and the files that its manifest names.

use crate::busybox;
use crate::cpio::Tree;
use anyhow::{Context, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use ukl_app::app;
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::config::{App, KernelFlavour, Level, Ready};
use ukl_repo::ctx::Ctx;
use ukl_vm::vm::protocol::BootWord;
use xshell::{Shell, cmd};

/// A file that a run puts into the guest beside those of the manifest.
#[derive(Clone, Debug)]
pub struct ExtraFile {
    /// Its path there, absolute.
    pub target: String,
    pub permissions: u32,
    pub content: Vec<u8>,
}

/// The archive for `app` at `level`; `args` replace those of the manifest.
pub fn initramfs(ctx: &Ctx, app: &App, level: &Level, args: Option<&[String]>, extra: &[ExtraFile]) -> Result<PathBuf> {
    let busybox = busybox::busybox(ctx)?;
    let init = ctx.repo.root.join("guest/init");
    let protection = protection(ctx)?;
    let programs = app.all().map(|app| Program::new(ctx, app, level)).collect::<Result<Vec<_>>>()?;
    let commands: Vec<_> = programs
        .iter()
        .enumerate()
        .map(|(at, program)| command(&program.name, args.filter(|_| at == 0).unwrap_or(&program.app.guest.args)))
        .collect();

    let mut key = Key::new("initramfs-v4").file(&busybox)?.file(&init)?.bytes(&protection.content);
    for (program, command) in programs.iter().zip(&commands) {
        key = program.identify(key)?.str(command).str(&ready(program.app));
    }
    for file in extra {
        key = key.str(&file.target).str(&format!("{:o}", file.permissions)).bytes(&file.content);
    }
    let dir = ctx.cache.step("initramfs", &key, |out| {
        let mut tree = Tree::default();
        for folder in ["proc", "sys", "dev", "bin", "usr/bin", "opt/process", "etc/ukl", "etc/ukl/beside"] {
            tree.folder(folder);
        }
        // The kernel opens this for init before anything is mounted.
        tree.character_device("dev/console", 0o600, (5, 1));
        tree.file("bin/busybox", 0o755, &fs_err::read(&busybox)?);
        tree.file("init", 0o755, &fs_err::read(&init)?);
        tree.file(&protection.target, protection.permissions, &protection.content);
        tree.file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n");
        tree.file("etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n");
        for (at, (program, command)) in programs.iter().zip(&commands).enumerate() {
            let place = if at == 0 { String::new() } else { format!("beside/{}.", program.app.name) };
            tree.file(&format!("etc/ukl/{place}command"), 0o644, command.as_bytes());
            tree.file(&format!("etc/ukl/{place}ready"), 0o644, ready(program.app).as_bytes());
            program.add(&mut tree, Layout { root: "", programs: "usr/bin" }, out)?;
        }
        for file in extra {
            tree.file(file.target.trim_start_matches('/'), file.permissions, &file.content);
        }
        fs_err::write(out.join("initramfs.cpio"), tree.finish()).context("writing the initramfs")
    })?;
    Ok(dir.join("initramfs.cpio"))
}

/// What tells on the console what protects the machine.
pub fn protection(ctx: &Ctx) -> Result<ExtraFile> {
    let content = fs_err::read(ctx.repo.root.join("guest/protection"))?;
    Ok(ExtraFile { target: "protection".to_owned(), permissions: 0o755, content })
}

/// An application's program in the guest.
#[derive(Debug)]
pub struct Program<'a> {
    pub app: &'a App,
    /// Its file name.
    pub name: String,
    /// The ordinary program.
    ordinary: PathBuf,
    /// What starts the linked-in one, where there is one.
    stub: Option<String>,
}

/// Where programs go in an archive; both without a slash at their ends.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// What stands for the guest's root: nothing, or a folder and a slash.
    pub root: &'static str,
    /// The folder of the application's program, below the root.
    pub programs: &'static str,
}

impl<'a> Program<'a> {
    /// The program of an application at a level, built when it is missing.
    pub fn new(ctx: &Ctx, app: &'a App, level: &Level) -> Result<Self> {
        let stub = (level.kernel == KernelFlavour::Ukl).then(|| stub(&app.name));
        Ok(Program { app, name: app.program_name()?, ordinary: app::build_app(ctx, app)?.executable, stub })
    }

    /// Adds to the identity of an archive what `add` puts into it.
    pub fn identify(&self, key: Key) -> Result<Key> {
        let mut key = key.file(&self.ordinary)?.str(&self.app.name).str(&self.name);
        key = key.str(self.stub.as_deref().unwrap_or(""));
        for (target, file) in &self.app.guest.files {
            let file = self.app.dir.join(file);
            key = key.str(target).str(&format!("{:o}", permissions(&file)?)).file(&file)?;
        }
        Ok(key)
    }

    /// Puts it and the files of its manifest into the tree; `work` is a folder for what is made on the way.
    pub fn add(&self, tree: &mut Tree, Layout { root, programs }: Layout, work: &Path) -> Result<()> {
        let scratch = tempfile::tempdir_in(work).context("making a directory for the stripped program")?;
        let stripped = fs_err::read(&without_debug_data(&self.ordinary, scratch.path())?)?;
        match &self.stub {
            None => tree.file(&format!("{root}{programs}/{}", self.name), 0o755, &stripped),
            Some(stub) => {
                tree.file(&format!("{root}{programs}/{}", self.name), 0o755, stub.as_bytes());
                tree.file(&format!("{root}opt/process/{}", self.name), 0o755, &stripped);
            }
        }
        for (target, file) in &self.app.guest.files {
            let file = self.app.dir.join(file);
            tree.file(&format!("{root}{}", target.trim_start_matches('/')), permissions(&file)?, &fs_err::read(&file)?);
        }
        Ok(())
    }
}

/// The stub file that starts the linked-in application `name`.
pub fn stub(name: &str) -> String {
    format!("#UKL {name}\n")
}

/// The shell command that becomes the application. `{id}` is the number of the machine among several.
fn command(program: &str, args: &[String]) -> String {
    let arguments = args.iter().map(|arg| match arg.as_str() {
        "{id}" => format!(r#" "${}""#, BootWord::PARTY_VARIABLE),
        arg => format!(" {}", process::quoted(arg)),
    });
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let program = if program.chars().all(plain) { program.to_owned() } else { process::quoted(program) };
    format!("exec /usr/bin/{program}{}\n", arguments.collect::<String>())
}

fn ready(app: &App) -> String {
    match app.guest.ready {
        Ready::Tcp(port) => format!("tcp {port}\n"),
        Ready::Exit => "exit\n".to_owned(),
    }
}

/// A copy without what only a debugger or this program reads: it would fill the guest's memory. Symbols stay, for profiling.
pub fn without_debug_data(program: &Path, scratch: &Path) -> Result<PathBuf> {
    let copy = scratch.join("program");
    let sh = Shell::new()?;
    let sections = ukl_ld::SECTIONS.map(|section| format!("--remove-section={section}"));
    process::read(cmd!(sh, "objcopy --strip-debug {sections...} {program} {copy}"))?;
    Ok(copy)
}

/// The permissions in the guest of a file of the host: all that counts is whether it can be executed.
fn permissions(path: &Path) -> Result<u32> {
    let metadata = path.metadata().with_context(|| format!("reading {}", path.display()))?;
    Ok(if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_survive_the_shell() {
        let args = ["a b", "it's", "$HOME"].map(str::to_owned);
        insta::assert_snapshot!(command("hello", &["{id}".to_owned()]), @r#"exec /usr/bin/hello "$UKL_PARTY""#);
        insta::assert_snapshot!(command("\u{fc} 1", &[]), @"exec /usr/bin/'\u{fc} 1'");
        insta::assert_snapshot!(command("hello", &args), @r"exec /usr/bin/hello 'a b' 'it'\''s' '$HOME'");
    }
}
