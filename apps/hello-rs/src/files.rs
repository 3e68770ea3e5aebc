//! std::fs in the temporary folder.

use crate::{Outcome, same};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::PathBuf;

/// A folder that is removed when the value is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("hello-rs-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left who could be told.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Buffered and positioned writes and reads, permissions, and an error.
pub fn write_and_read() -> Outcome {
    let folder = Folder::new("files")?;
    let path = folder.0.join("lines");
    let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
    for number in 0..1000 {
        writeln!(file, "line {number}")?;
    }
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let lines = BufReader::new(&file).lines().collect::<Result<Vec<_>, _>>()?;
    same("the number of lines", lines.len(), 1000)?;
    same("the last line", lines.last().map(String::as_str), Some("line 999"))?;
    file.write_all_at(b"LINE", 0)?;
    same("the beginning", fs::read_to_string(&path)?.get(..6), Some("LINE 0"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    same("the mode", fs::metadata(&path)?.permissions().mode() & 0o777, 0o640)?;
    let absent = File::open(folder.0.join("absent")).map(drop).map_err(|error| error.kind());
    same("a file that is not there", absent, Err(ErrorKind::NotFound))?;
    Ok("1000 lines, a changed word and a mode with what was written".to_owned())
}

/// Names, links and the removal of a whole folder.
pub fn list_and_remove() -> Outcome {
    let folder = Folder::new("directories")?;
    for name in ["a", "b", "c"] {
        fs::write(folder.0.join(name), name)?;
    }
    symlink("a", folder.0.join("link"))?;
    fs::rename(folder.0.join("b"), folder.0.join("d"))?;
    fs::copy(folder.0.join("c"), folder.0.join("e"))?;
    let mut names = fs::read_dir(&folder.0)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, _>>()?;
    names.sort();
    same("the names", names, ["a", "c", "d", "e", "link"].map(str::to_owned).to_vec())?;
    same("the text behind the link", fs::read_to_string(folder.0.join("link"))?, "a".to_owned())?;
    let path = folder.0.clone();
    drop(folder);
    same("whether the removed folder exists", path.exists(), false)?;
    Ok("5 names and a link with what was made".to_owned())
}
