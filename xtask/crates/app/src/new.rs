//! Makes a folder in apps/ with a small program that works at once. A language is a folder of templates.

use anyhow::Result;
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_repo::ctx::Ctx;

/// Options of `new`.
#[derive(clap::Args)]
pub struct Args {
    /// The language.
    language: Language,
    /// The name, which becomes a folder of apps/: 1 to 31 of a-z, 0-9 and `-`.
    name: String,
}

/// What a program can be begun in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    /// C, with a Makefile.
    C,
    /// C++, with a Makefile.
    #[value(name = "c++")]
    Cxx,
    /// Rust with its standard library, built by cargo.
    Rust,
}

/// A file of the new folder: its name and content, in both of which `@NAME@` stands for the application's name.
type Template = (&'static str, &'static str);

impl Language {
    fn templates(self) -> &'static [Template] {
        match self {
            Language::C => &[
                ("app.toml", include_str!("new/templates/c/app.toml")),
                ("Makefile", include_str!("new/templates/c/Makefile")),
                ("@NAME@.c", include_str!("new/templates/c/main.c")),
            ],
            Language::Cxx => &[
                ("app.toml", include_str!("new/templates/cxx/app.toml")),
                ("Makefile", include_str!("new/templates/cxx/Makefile")),
                ("@NAME@.cc", include_str!("new/templates/cxx/main.cc")),
            ],
            Language::Rust => &[
                ("app.toml", include_str!("new/templates/rust/app.toml")),
                ("Cargo.toml", include_str!("new/templates/rust/Cargo.toml")),
                ("Cargo.lock", include_str!("new/templates/rust/Cargo.lock")),
                ("src/main.rs", include_str!("new/templates/rust/src/main.rs")),
            ],
        }
    }
}

/// Runs `new`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let apps = ctx.repo.root.join("apps");
    for file in create(&apps, &args.name, args.language)? {
        println!("{}", file.display());
    }
    println!("run it: cargo xtask run {}", args.name);
    Ok(())
}

/// Writes the files of a new application below `apps`, which must not have it yet; returns where they are.
fn create(apps: &Path, name: &str, language: Language) -> Result<Vec<PathBuf>> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty()
        || name.len() > 31
        || !name.chars().all(plain)
        || !name.starts_with(|c: char| c.is_ascii_lowercase())
    {
        return Err(Failure::usage(
            format!("`{name}` cannot be the name of an application"),
            "use 1 to 31 of a-z, 0-9 and `-`, a letter first",
        ));
    }
    let folder = apps.join(name);
    if folder.exists() {
        return Err(Failure::usage(format!("{} exists already", folder.display()), "choose another name"));
    }
    let write = |(file, text): &Template| {
        let path = folder.join(file.replace("@NAME@", name));
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent)?;
        fs::write(&path, text.replace("@NAME@", name))?;
        Ok(path)
    };
    language.templates().iter().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use ukl_repo::config::{self, App, RawApp, Ready};

    #[test]
    fn what_is_made_is_a_valid_application() {
        for language in Language::value_variants() {
            let apps = tempfile::tempdir().unwrap();
            let files = create(apps.path(), "my-app", *language).unwrap();
            assert!(files.iter().all(|file| file.is_file()), "{files:?}");
            let folder = apps.path().join("my-app");
            let check = |raw: RawApp| App::validate("my-app", &folder, raw, vec![]);
            let app = config::load(&folder.join("app.toml"), check).unwrap();
            assert_eq!(app.guest.ready, Ready::Exit);
            assert!(app.build.executable.ends_with("my-app"), "{}", app.build.executable.display());
            assert!(files.iter().all(|file| !fs::read_to_string(file).unwrap().contains("@NAME@")));
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let apps = tempfile::tempdir().unwrap();
        create(apps.path(), "twice", Language::Rust).unwrap();
        let again = create(apps.path(), "twice", Language::Rust).unwrap_err().to_string();
        assert!(again.ends_with("twice exists already"), "{again}");
        for name in ["", "Upper", "a/b", "..", "-a", &"x".repeat(32)] {
            assert!(create(apps.path(), name, Language::Rust).is_err(), "{name}");
        }
    }
}
