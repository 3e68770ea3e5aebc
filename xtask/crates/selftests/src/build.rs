//! Builds the programs of a collection with ukl-cc, from the pinned kernel's sources. The Makefiles there say which programs
//! there are, so a new kernel brings its new tests along.

use crate::collection::{Collection, Exception, Folder, fits};
use anyhow::{Context, Result, ensure};
use fs_err as fs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use ukl_app::toolchain;
use ukl_audit::audit;
use ukl_host::cache::Key;
use ukl_host::process::{self, quoted};
use ukl_kernel::source;
use ukl_repo::config::KernelFlavour;
use ukl_repo::ctx::Ctx;
use xshell::cmd;

/// What of the kernel's sources the programs are made of.
const PARTS: [&str; 6] = [
    "tools/testing/selftests",
    "tools/include",
    "tools/arch/x86/include",
    "arch/x86/include",
    "mm/gup_test.h",
    "lib/test_hmm_uapi.h",
];
/// Headers of ours that stand before musl's, relative to the checkout.
const HEADERS: &str = "xtask/crates/selftests/glibc";
/// Bytes of a name in an image.
const NAME_BYTES: usize = 31;

/// A test.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// `folder/program`.
    pub test: String,
    /// An ordinary static program that has its object for the kernel with it.
    pub path: PathBuf,
    /// Why it cannot be linked into the kernel, if it cannot.
    pub refusal: Option<String>,
}

impl Program {
    /// Its name in the guest and in an image.
    pub(crate) fn name(&self) -> Result<String> {
        let name = self.path.file_name().context("a program has a name")?;
        Ok(name.to_string_lossy().into_owned())
    }
}

/// What came out of the build of a collection.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    /// Those to run, by name.
    pub programs: Vec<Program>,
    /// Every test of the Makefiles, and whether it was built.
    all: BTreeMap<String, bool>,
}

/// Builds a collection, or takes what was built before.
pub(crate) fn build(ctx: &Ctx, collection: &Collection) -> Result<Built> {
    let toolchain = toolchain::toolchain(ctx)?;
    let headers = ctx.repo.root.join(HEADERS);
    let key = Key::new("selftests-v1")
        .str(include_str!("build.rs"))
        .str(&ctx.repo.kernel()?.source.sha256)
        .str(&toolchain.dir.to_string_lossy())
        .str(&format!("{:?}", collection.settings.folders))
        .tree(&headers)?;
    let dir = ctx.cache.step(&format!("selftests-{}", collection.name), &key, |out| {
        let compiler = format!("{} -isystem {}", toolchain.cc().display(), headers.display());
        let sources = source::kernel_source(ctx, KernelFlavour::Vanilla)?;
        let tree = out.join("tree");
        for part in PARTS {
            let (from, to) = (sources.join(part), tree.join(part));
            let above = to.parent().context("a part has a folder")?;
            fs::create_dir_all(above)?;
            let sh = process::shell_in(out)?;
            process::run(cmd!(sh, "cp -r --reflink=auto {from} {above}"))?;
        }
        let mut found = Vec::new();
        for folder in &collection.settings.folders {
            let place = out.join("built").join(&folder.path);
            fs::create_dir_all(&place)?;
            let names = make(ctx, folder, &tree, &place, &compiler)?;
            found.extend(names.into_iter().map(|name| (folder.path.clone(), place.join(&name), name)));
        }
        keep(out, &found)?;
        fs::remove_dir_all(&tree)?;
        Ok(fs::remove_dir_all(out.join("built"))?)
    })?;
    read(ctx, collection, &dir)
}

/// Builds the programs of a folder, as many as can be; the names of all.
fn make(ctx: &Ctx, folder: &Folder, tree: &Path, output: &Path, compiler: &str) -> Result<Vec<String>> {
    let source = tree.join("tools/testing/selftests").join(&folder.path);
    ensure!(source.is_dir(), "tools/testing/selftests/{} is not in this kernel's sources", folder.path);
    let sh = process::shell_in(&source)?;
    let logs = ctx.cache.root().join("logs");
    fs::create_dir_all(&logs)?;
    let log = |stage: &str| logs.join(format!("selftests-{}-{stage}.log", folder.path.replace('/', "-")));
    let shell = |line: &str| {
        let command = cmd!(sh, "sh -ec {line}").env("LC_ALL", "C").env("CC", compiler).env("OUTPUT", output);
        ["MAKEFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS"]
            .into_iter()
            .fold(command, |command, name| command.env_remove(name))
    };
    for line in &folder.prepare {
        process::run_logged(&format!("preparing {}", folder.path), shell(line), &log("prepare"))?;
    }
    // Libraries are all in the C library; a Makefile would ask for those of glibc. The headers come with the compiler.
    let mut variables = vec![
        format!("CC={compiler}"),
        format!("OUTPUT={}", output.display()),
        "ARCH=x86_64".to_owned(),
        "KHDR_INCLUDES=".to_owned(),
        "LDLIBS=".to_owned(),
        // As if called by the Makefile above, which names the output.
        "MAKELEVEL=1".to_owned(),
    ];
    variables.extend(folder.make.iter().cloned());
    let variables: Vec<_> = variables.iter().map(|word| quoted(word)).collect();
    let variables = variables.join(" ");
    let lists: Vec<_> = folder.lists.iter().map(|list| format!("$({list})")).collect();
    let rule = quoted(&format!("ukl-list: ; @echo {}", lists.join(" ")));
    let said = process::read(shell(&format!("make -s {variables} --eval={rule} ukl-list")))?;
    let listed = said.lines().last().unwrap_or_default().split_whitespace();
    let names = listed.filter_map(|path| Path::new(path).file_name()).map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = names.chain(folder.also.iter().cloned()).collect();
    names.sort();
    names.dedup();
    ensure!(!names.is_empty(), "the Makefile of {} names no test in {}", folder.path, folder.lists.join(", "));
    let targets: Vec<_> = names.iter().map(|name| quoted(&output.join(name).to_string_lossy())).collect();
    let (jobs, targets) = (ctx.jobs, targets.join(" "));
    let line = format!("make -k -j{jobs} {variables} {targets} || echo 'Some of them cannot be built.'");
    process::run_logged(&format!("building {}", folder.path), shell(&line), &log("make"))?;
    Ok(names)
}

/// Moves what was built to `bin`, each under a name of its own, and writes the list of all.
fn keep(out: &Path, found: &[(String, PathBuf, String)]) -> Result<()> {
    let bin = out.join("bin");
    fs::create_dir_all(&bin)?;
    let mut list = String::new();
    for (folder, path, name) in found {
        let single = found.iter().filter(|(_, _, other)| other == name).count() == 1;
        let own = if single { name.clone() } else { format!("{}_{name}", folder.replace('/', "_")) };
        ensure!(own.len() <= NAME_BYTES, "{folder}/{name}: {own} is longer than {NAME_BYTES} bytes");
        if path.is_file() {
            fs::copy(path, bin.join(&own))?;
        }
        list.push_str(&format!("{folder}/{name} {own}\n"));
    }
    Ok(fs::write(out.join("tests"), list)?)
}

fn read(ctx: &Ctx, collection: &Collection, dir: &Path) -> Result<Built> {
    let exports = ctx.repo.root.join("app-runtime/exports.txt");
    let mut built = Built { programs: vec![], all: BTreeMap::new() };
    for line in fs::read_to_string(dir.join("tests"))?.lines() {
        let (test, name) = line.split_once(' ').with_context(|| format!("the line `{line}` of the list of tests"))?;
        let path = dir.join("bin").join(name);
        built.all.insert(test.to_owned(), path.is_file());
        if path.is_file() && !named(&collection.settings.left_out, test) {
            let refusal = audit::audit(&path, Some(&exports))?.first().map(ToString::to_string);
            built.programs.push(Program { test: test.to_owned(), path, refusal });
        }
    }
    Ok(built)
}

fn named(exceptions: &[Exception], test: &str) -> bool {
    exceptions.iter().flat_map(|exception| &exception.tests).any(|pattern| fits(pattern, test))
}

impl Built {
    /// Compares what was built with what the collection says cannot be; also whether each test that it names is there.
    pub(crate) fn check(&self, collection: &Collection) -> Result<String> {
        let settings = &collection.settings;
        for (test, built) in &self.all {
            let expected = !named(&settings.unbuilt, test);
            ensure!(
                *built == expected,
                "{test} {}",
                match built {
                    true => "can be built, and the collection says that it cannot",
                    false => "cannot be built, and the collection does not say so",
                }
            );
        }
        let differing = settings.differences.iter().flat_map(|difference| &difference.tests);
        let exceptions = settings.unbuilt.iter().chain(&settings.left_out).chain(&settings.fails_at_linux);
        let patterns = exceptions.flat_map(|exception| &exception.tests);
        for pattern in patterns.chain(differing).chain(settings.arguments.keys()) {
            let pattern = pattern.split(": ").next().unwrap_or_default();
            ensure!(
                self.all.keys().any(|test| fits(pattern, test)),
                "the collection names `{pattern}`, and no such test is there"
            );
        }
        let built = self.all.values().filter(|built| **built).count();
        let refused = self.programs.iter().filter(|program| program.refusal.is_some()).count();
        Ok(format!(
            "the tests that the Makefiles name with those that were built: {built} of {}, each other with its reason; {} are \
             run, {refused} of them not in ring 0 because the audit refuses them",
            self.all.len(),
            self.programs.len()
        ))
    }
}
