//! Writes cpio archives in the `newc` format, the one an initramfs has (Documentation/driver-api/early-userspace/
//! buffer-format.rst of the kernel). Every time stamp is zero, so equal contents give equal archives.

use cpio::newc::Builder;
use std::collections::BTreeSet;
use std::io::Write;

/// File type bits of a mode, as in inode(7).
const DIRECTORY: u32 = 0o040_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const REGULAR: u32 = 0o100_000;

/// An archive that grows in memory.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a directory. Its parents must have been added before; names have no leading slash.
    pub fn directory(&mut self, name: &str, permissions: u32) {
        self.entry(name, DIRECTORY | permissions, (0, 0), &[]);
    }

    /// Adds a regular file.
    pub fn file(&mut self, name: &str, permissions: u32, content: &[u8]) {
        self.entry(name, REGULAR | permissions, (0, 0), content);
    }

    /// Adds a character device with its major and minor number.
    pub fn character_device(&mut self, name: &str, permissions: u32, number: (u32, u32)) {
        self.entry(name, CHARACTER_DEVICE | permissions, number, &[]);
    }

    /// Ends the archive and returns its bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let header = Builder::new(name).ino(self.entries).mode(mode).nlink(links);
        let mut entry = header.rdev_major(device.0).rdev_minor(device.1).write(&mut self.bytes, content.len() as u32);
        entry.write_all(content).and_then(|()| entry.finish()).expect("a vector takes every byte");
    }
}

/// An archive that adds parent folders by itself.
#[derive(Debug, Default)]
pub struct Tree {
    archive: Archive,
    folders: BTreeSet<String>,
}

impl Tree {
    /// Adds a directory that may be there already.
    pub fn folder(&mut self, name: &str) {
        for (at, _) in name.match_indices('/').chain([(name.len(), "")]) {
            if self.folders.insert(name[..at].to_owned()) {
                self.archive.directory(&name[..at], 0o755);
            }
        }
    }

    /// Adds a directory that is not there yet, with permissions of its own.
    pub fn directory(&mut self, name: &str, permissions: u32) {
        self.parent(name);
        if self.folders.insert(name.to_owned()) {
            self.archive.directory(name, permissions);
        }
    }

    /// Adds a regular file.
    pub fn file(&mut self, name: &str, permissions: u32, content: &[u8]) {
        self.parent(name);
        self.archive.file(name, permissions, content);
    }

    /// Adds a character device with its major and minor number.
    pub fn character_device(&mut self, name: &str, permissions: u32, number: (u32, u32)) {
        self.parent(name);
        self.archive.character_device(name, permissions, number);
    }

    /// Ends the archive and returns its bytes.
    pub fn finish(self) -> Vec<u8> {
        self.archive.finish()
    }

    fn parent(&mut self, name: &str) {
        if let Some((folder, _)) = name.rsplit_once('/') {
            self.folder(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn sample() -> Vec<u8> {
        let mut archive = Archive::default();
        archive.directory("etc", 0o755);
        archive.file("etc/greeting", 0o644, b"hello");
        archive.character_device("console", 0o600, (5, 1));
        archive.finish()
    }

    #[test]
    fn the_first_header_is_as_the_format_says() {
        let bytes = sample();
        let header = String::from_utf8(bytes[..116].to_vec()).unwrap();
        insta::assert_snapshot!(header.replace('\0', "."), @"07070100000001000041ed0000000000000000000000020000000000000000000000000000000000000000000000000000000400000000etc...");
        assert_eq!(bytes.len() % 4, 0);
    }

    /// Images are compared byte for byte, so nothing may differ: not the numbers of the entries, not that of the last one.
    #[test]
    fn every_byte_of_an_archive_is_ours_to_choose() {
        let text = String::from_utf8(sample()).unwrap().replace('\0', ".").replace("070701", "\n070701");
        insta::assert_snapshot!(text.trim(), @"
        07070100000001000041ed0000000000000000000000020000000000000000000000000000000000000000000000000000000400000000etc...
        07070100000002000081a40000000000000000000000010000000000000005000000000000000000000000000000000000000d00000000etc/greeting..hello...
        07070100000003000021800000000000000000000000010000000000000000000000000000000000000005000000010000000800000000console...
        07070100000004000000000000000000000000000000010000000000000000000000000000000000000000000000000000000b00000000TRAILER!!!....
        ");
    }

    #[test]
    fn equal_contents_give_equal_archives() {
        assert_eq!(sample(), sample());
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_once() {
        let mut tree = Tree::default();
        tree.file("a/b/c", 0o644, b"");
        tree.file("a/b/d", 0o644, b"");
        let text = String::from_utf8_lossy(&tree.finish()).into_owned();
        let at = |name: &str| text.match_indices(&format!("{name}\0")).count();
        assert_eq!((at("a"), at("a/b"), at("a/b/c")), (1, 1, 1));
        assert!(text.find("a/b\0") < text.find("a/b/c\0"));
    }

    #[test]
    fn gnu_cpio_reads_it_back_where_there_is_one() {
        let list = Command::new("cpio")
            .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut list) = list else { return };
        list.stdin.take().unwrap().write_all(&sample()).unwrap();
        let text = String::from_utf8(list.wait_with_output().unwrap().stdout).unwrap();
        assert!(text.contains("5,   1"), "{text}");
        assert!(text.lines().any(|line| line.starts_with("-rw-r--r--") && line.ends_with("etc/greeting")), "{text}");
    }
}
