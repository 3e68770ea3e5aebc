//! How large an image is, and what takes the space.

use super::Image;
use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, elf};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use ukl_host::process;
use ukl_kernel::kernel;
use ukl_repo::config::KernelProfile;
use ukl_repo::ctx::Ctx;
use xshell::cmd;

/// How many folders of the kernel are listed.
const SHOWN: usize = 16;

/// What is booted, and the same compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// As QEMU loads it.
    pub vmlinux: u64,
    pub initramfs: u64,
    /// As one would ship it: bzImage, which decompresses itself, and the initramfs as `gzip -9` makes it.
    pub bzimage: u64,
    pub initramfs_gzip: u64,
}

impl Sizes {
    /// Reads the files of an image.
    pub(super) fn of(image: &Image) -> Result<Self> {
        let size = |path: &Path| -> Result<u64> { Ok(read(path)?.len() as u64) };
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&read(&image.initramfs)?).context("compressing the initramfs")?;
        Ok(Sizes {
            vmlinux: size(&image.kernel)?,
            initramfs: size(&image.initramfs)?,
            bzimage: size(&image.bzimage)?,
            initramfs_gzip: gzip.finish().context("compressing the initramfs")?.len() as u64,
        })
    }

    /// What one ships.
    pub(super) fn compressed(&self) -> u64 {
        self.bzimage + self.initramfs_gzip
    }

    /// Names for the record and values; `compressed` is the sum of the two parts before it.
    pub(super) fn parts(&self) -> [(&'static str, u64); 5] {
        [
            ("vmlinux", self.vmlinux),
            ("initramfs", self.initramfs),
            ("bzimage", self.bzimage),
            ("initramfs_gzip", self.initramfs_gzip),
            ("compressed", self.compressed()),
        ]
    }
}

/// What the loaded image consists of, the largest first, uncompressed: its sections, the application's part of the text by
/// itself, and the kernel's objects by folder.
pub(super) fn listing(ctx: &Ctx, image: &Image) -> Result<String> {
    let objects = kernel::kernel(ctx, image.level.kernel, KernelProfile::Lean)?.output;
    let mut text = "sections\n".to_owned();
    text += &table(sections(&image.symbols)?, usize::MAX);
    text += "objects of the kernel, by folder\n";
    text += &table(folders(&objects)?, SHOWN);
    Ok(text)
}

/// The sections that are loaded; small ones together.
fn sections(vmlinux: &Path) -> Result<BTreeMap<String, u64>> {
    const SMALL: u64 = 64 << 10;
    let bytes = read(vmlinux)?;
    let file = object::File::parse(bytes.as_slice()).with_context(|| format!("reading {}", vmlinux.display()))?;
    let symbol = |name: &str| file.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address());
    let application = match (symbol("__ukl_text_start"), symbol("__ukl_text_end")) {
        (Some(start), Some(end)) => end - start,
        _ => 0,
    };
    let mut sizes = BTreeMap::new();
    for section in file.sections().filter(is_loaded) {
        let name = section.name().context("reading the name of a section")?;
        let size = if name == ".text" { section.size() - application } else { section.size() };
        let name = if size < SMALL { "smaller than 64 KiB, together" } else { name };
        *sizes.entry(name.to_owned()).or_default() += size;
    }
    if application > 0 {
        sizes.insert(".text, the application's".to_owned(), application);
    }
    Ok(sizes)
}

/// What the objects of a kernel would load, by the first two folders of their paths.
fn folders(output: &Path) -> Result<BTreeMap<String, u64>> {
    // The archive holds names only; each object lies where it was compiled.
    let sh = process::shell_in(output)?;
    let names = process::read(cmd!(sh, "ar t vmlinux.a"))?;
    let mut sizes = BTreeMap::new();
    for name in names.lines() {
        let bytes = read(&output.join(name))?;
        let file = object::File::parse(bytes.as_slice()).with_context(|| format!("reading {name}"))?;
        let loaded: u64 = file.sections().filter(is_loaded).map(|section| section.size()).sum();
        let mut parts = name.split('/');
        let folder: Vec<_> = parts.by_ref().take(2).collect();
        // A file directly below the first folder belongs to that folder.
        let folder = if parts.next().is_none() { folder[0] } else { &folder.join("/") };
        *sizes.entry(folder.to_owned()).or_default() += loaded;
    }
    Ok(sizes)
}

/// Allocated and in the file, which .bss is not.
fn is_loaded<'data>(section: &impl ObjectSection<'data>) -> bool {
    let SectionFlags::Elf { sh_flags } = section.flags() else { return false };
    sh_flags & u64::from(elf::SHF_ALLOC) != 0 && section.kind() != object::SectionKind::UninitializedData
}

/// The largest first, in KiB.
fn table(sizes: BTreeMap<String, u64>, shown: usize) -> String {
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let lines = sizes.iter().take(shown).map(|(name, size)| format!("{:8} KiB  {name}\n", size.div_ceil(1024)));
    lines.collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_comes_first_and_the_sum_is_a_part() {
        let sizes = BTreeMap::from([("mm".to_owned(), 2048), ("net/ipv4".to_owned(), 9000), ("lib".to_owned(), 1)]);
        assert_eq!(table(sizes, 2), "       9 KiB  net/ipv4\n       2 KiB  mm\n");
        let sizes = Sizes { vmlinux: 1, initramfs: 2, bzimage: 3, initramfs_gzip: 4 };
        assert_eq!(sizes.parts()[4], ("compressed", 7));
    }

    #[test]
    fn only_what_is_loaded_counts() {
        let own = std::env::current_exe().unwrap();
        let sections = sections(&own).unwrap();
        assert!(sections.contains_key(".text") && !sections.contains_key(".bss"), "{sections:?}");
        assert!(!sections.keys().any(|name| name.starts_with(".debug")), "{sections:?}");
    }
}
