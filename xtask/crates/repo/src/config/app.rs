//! An application: one folder `apps/NAME` with `app.toml`.

use super::commands::{self, Commands};
use super::{Library, Source};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A validated application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The folder's name; also the name in the stub file that starts it.
    pub name: String,
    /// The folder, absolute.
    pub dir: PathBuf,
    /// One sentence for lists.
    pub summary: String,
    /// The pinned tarball; absent when the sources lie in the folder.
    pub source: Option<Source>,
    /// A program that is built already, absolute: what was named by its path instead of a folder of apps/.
    pub program: Option<PathBuf>,
    /// What it is linked with beside the C library, in the order of the file.
    pub libraries: Vec<Library>,
    pub build: AppBuild,
    pub guest: GuestSettings,
    /// How it runs as one of several machines; absent if it cannot.
    pub parties: Option<Parties>,
    /// Levels this application does not run at, each with the reason.
    pub skip_levels: BTreeMap<String, String>,
    /// What is linked into the same image and started beside it; none unless the request names several.
    pub beside: Vec<App>,
}

/// How the application is compiled.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppBuild {
    /// Commands run in a new build directory only, such as `./configure`; none by default.
    #[serde(default)]
    pub configure: Commands,
    /// Commands run one after the other at each build. `{cc}`, `{ar}`, `{cargo}`, `{jobs}`, `{source}` and `{folder}` are
    /// filled in, `{cxx}`, for which the C++ library is built, and for each of the application's libraries `{library.NAME}`, the
    /// folder that has its `include` and `lib`.
    pub commands: Commands,
    /// The program that comes out, relative to the build directory.
    pub executable: PathBuf,
    /// Other programs of the same sources, built when a measurement asks for one; none by default.
    #[serde(default)]
    pub tools: BTreeMap<String, Tool>,
}

/// A program that comes with an application and is ordinary always.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// As those of the application, after them.
    pub commands: Commands,
    pub executable: PathBuf,
}

/// How the application runs in the guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestSettings {
    /// Arguments after the program's own name; none by default.
    #[serde(default)]
    pub args: Vec<String>,
    /// TCP ports that are forwarded from the host; none by default.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Memory of the virtual machine in MiB; 256 by default.
    #[serde(default = "default_memory_mib")]
    pub memory_mib: u32,
    /// Size of the data disk in MiB; no disk by default.
    pub disk_mib: Option<u32>,
    /// Files put into the guest: path there = path relative to the application's folder; none by default.
    #[serde(default)]
    pub files: BTreeMap<String, PathBuf>,
    /// When the application counts as ready.
    pub ready: Ready,
}

/// How an application runs that is several machines, one a party.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parties {
    /// How many there are.
    pub count: u32,
    /// The port that each listens on.
    pub port: u16,
    /// Its first arguments. `{id}` is the number of the party, from 0, and `{peers}` are the addresses of all, ADDRESS:PORT,
    /// separated by commas.
    pub args: Vec<String>,
    /// The arguments after them unless the request has others; none by default.
    #[serde(default)]
    pub request: Vec<String>,
}

/// What shows that the application is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    /// It accepts connections on this port.
    Tcp(u16),
    /// It runs to its end.
    Exit,
}

/// How long the names of all may be together; around them, a file's name has to hold a level and a hash.
const TITLE_BYTES: usize = 120;
/// How many machines may be on one network: each has a cable to each of the others.
const PARTIES: std::ops::RangeInclusive<u32> = 2..=8;

/// Memory of a virtual machine whose manifest does not say.
pub const MEMORY_MIB: u32 = 256;

fn default_memory_mib() -> u32 {
    MEMORY_MIB
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawApp {
    summary: String,
    source: Option<Source>,
    /// Files of `apps/libraries/`, without `.toml`.
    #[serde(default)]
    pub libraries: Vec<String>,
    build: AppBuild,
    guest: GuestSettings,
    parties: Option<Parties>,
    #[serde(default)]
    skip_levels: BTreeMap<String, String>,
}

/// What stands for the application's folder in the checkout; `{source}` is a copy of it, in which files may be made.
pub const FOLDER: &str = "folder";
/// What stands for the compiler for C++ in an application's commands.
pub const CXX: &str = "cxx";

/// What stands for the folder of a library in an application's commands.
pub fn library_placeholder(library: &str) -> String {
    format!("library.{library}")
}

impl App {
    /// Checks what the types do not. `libraries` are those that the file names.
    pub fn validate(name: &str, dir: &Path, raw: RawApp, libraries: Vec<Library>) -> Result<Self> {
        if let Some(source) = &raw.source {
            source.validate()?;
        }
        // The descriptor in the image has 32 bytes for the name, the last of them zero.
        ensure!(name.len() < 32, "application name `{name}` is longer than 31 bytes");
        let known = commands::FOR_ALL.iter().chain(&[FOLDER, CXX]);
        let mut known: Vec<_> = known.map(|name| (*name).to_owned()).collect();
        for library in &libraries {
            let placeholder = library_placeholder(&library.name);
            ensure!(!known.contains(&placeholder), "`libraries` names `{}` twice", library.name);
            ensure!(
                raw.build.configure.name(&placeholder) || raw.build.commands.name(&placeholder),
                "`libraries` names `{}`, but no command of `build` has {{{placeholder}}}",
                library.name
            );
            known.push(placeholder);
        }
        raw.build.configure.validate("build.configure", &known)?;
        raw.build.commands.validate("build.commands", &known)?;
        let mut executables = vec![("build.executable".to_owned(), &raw.build.executable)];
        for (tool, Tool { commands, executable }) in &raw.build.tools {
            commands.validate(&format!("build.tools.{tool}.commands"), &known)?;
            executables.push((format!("build.tools.{tool}.executable"), executable));
        }
        for (key, executable) in executables {
            ensure!(executable.is_relative(), "`{key}` is absolute; it is relative to the build directory");
        }
        if let Ready::Tcp(port) = raw.guest.ready {
            ensure!(
                raw.guest.ports.contains(&port),
                "`guest.ready` waits for port {port}, which `guest.ports` does not forward"
            );
        }
        if let Some(parties) = &raw.parties {
            ensure!(
                PARTIES.contains(&parties.count),
                "`parties.count` is {}; {} to {} was expected",
                parties.count,
                PARTIES.start(),
                PARTIES.end()
            );
            ensure!(raw.guest.ready == Ready::Exit, "`parties` is for applications with `guest.ready = \"exit\"`");
        }
        for (target, file) in &raw.guest.files {
            ensure!(target.starts_with('/'), "`guest.files`: `{target}` is not an absolute path");
            ensure!(dir.join(file).is_file(), "`guest.files`: {} does not exist", dir.join(file).display());
        }
        Ok(App {
            name: name.to_owned(),
            dir: dir.to_owned(),
            summary: raw.summary,
            source: raw.source,
            program: None,
            libraries,
            build: raw.build,
            guest: raw.guest,
            parties: raw.parties,
            skip_levels: raw.skip_levels,
            beside: Vec::new(),
        })
    }

    /// Puts other applications into this one's image.
    pub fn with_beside(mut self, others: Vec<App>) -> Result<Self> {
        for other in others {
            for known in self.all() {
                ensure!(known.name != other.name, "`{}` is named twice", other.name);
                if let Some(port) = known.guest.ports.iter().find(|port| other.guest.ports.contains(port)) {
                    anyhow::bail!("`{}` and `{}` both listen on port {port}", known.name, other.name);
                }
                if let Some(file) = known.guest.files.keys().find(|file| other.guest.files.contains_key(*file)) {
                    anyhow::bail!("`{}` and `{}` both have a file {file}", known.name, other.name);
                }
            }
            self.beside.push(other);
        }
        Ok(self)
    }

    /// Every application of the image; this one is the first.
    pub fn all(&self) -> impl Iterator<Item = &App> {
        std::iter::once(self).chain(&self.beside)
    }

    /// The names of all, as they stand in file names: `redis+memcached`. Of more than fit one, the first and how many others.
    pub fn title(&self) -> String {
        let title = self.all().map(|app| app.name.as_str()).collect::<Vec<_>>().join("+");
        if title.len() <= TITLE_BYTES { title } else { format!("{}+{}-others", self.name, self.beside.len()) }
    }

    /// The application's name as a program: the file name of what its build makes.
    pub fn program_name(&self) -> Result<String> {
        let name = self.build.executable.file_name().and_then(|name| name.to_str());
        Ok(name
            .with_context(|| format!("application `{}`: `build.executable` has no file name", self.name))?
            .to_owned())
    }

    /// Memory of a machine for all of them, in MiB.
    pub fn memory_mib(&self) -> u32 {
        self.all().map(|app| app.guest.memory_mib).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const HELLO: &str = r#"
        summary = "says hello"
        [build]
        commands = [["{cc}", "-o", "hello", "{source}/hello.c"]]
        executable = "hello"
        [guest]
        ready = "exit"
    "#;

    fn app(text: &str) -> Result<App> {
        linked_with(text, &[])
    }

    fn linked_with(text: &str, libraries: &[&str]) -> Result<App> {
        let library = |name: &&str| {
            let file = format!("{name}_1.orig.tar.gz");
            let (package, sha256, suites) = ((*name).to_owned(), "0".repeat(64), vec!["trixie".to_owned()]);
            let license = "MIT".to_owned();
            let source = Source { package, license, file, sha256, suites };
            let build = parse("commands = [['make']]\narchives = ['lib/lib.a']").unwrap();
            Library { name: (*name).to_owned(), summary: String::new(), source, build }
        };
        App::validate("hello", Path::new("/nowhere"), parse(text)?, libraries.iter().map(library).collect())
    }

    #[test]
    fn the_commands_name_each_library_and_no_other() {
        let with = HELLO.replace("{source}/hello.c", "{library.libevent}/lib/libevent.a");
        assert_eq!(linked_with(&with, &["libevent"]).unwrap().libraries.len(), 1);
        insta::assert_snapshot!(
            linked_with(HELLO, &["libevent"]).unwrap_err(),
            @"`libraries` names `libevent`, but no command of `build` has {library.libevent}"
        );
        insta::assert_snapshot!(
            linked_with(&with, &["libevent", "libevent"]).unwrap_err(),
            @"`libraries` names `libevent` twice"
        );
        insta::assert_snapshot!(
            linked_with(&with, &[]).unwrap_err(),
            @"`build.commands`: `{library.libevent}/lib/libevent.a` names {library.libevent}; one of {cc}, {ar}, {cargo}, {jobs}, {source}, {folder}, {cxx} was expected"
        );
    }

    #[test]
    fn a_tool_is_checked_like_the_application() {
        let with = |commands: &str, executable: &str| {
            app(&format!("{HELLO}\n[build.tools.bye]\ncommands = {commands}\nexecutable = '{executable}'"))
        };
        assert_eq!(with("[['make']]", "bye").unwrap().build.tools.len(), 1);
        insta::assert_snapshot!(with("[[]]", "bye").unwrap_err(), @"`build.tools.bye.commands` has an empty command");
        insta::assert_snapshot!(
            with("[['make']]", "/bye").unwrap_err(),
            @"`build.tools.bye.executable` is absolute; it is relative to the build directory"
        );
    }

    #[test]
    fn a_small_manifest_gets_defaults() {
        let hello = app(HELLO).unwrap();
        assert_eq!(hello.guest.memory_mib, 256);
        assert_eq!(hello.guest.ready, Ready::Exit);
        assert!(hello.guest.ports.is_empty());
    }

    #[test]
    fn readiness_needs_a_forwarded_port() {
        let error = app(&HELLO.replace("\"exit\"", "{ tcp = 6379 }")).unwrap_err();
        insta::assert_snapshot!(error, @"`guest.ready` waits for port 6379, which `guest.ports` does not forward");
        app(&HELLO.replace("ready = \"exit\"", "ports = [6379]\nready = { tcp = 6379 }")).unwrap();
    }

    #[test]
    fn the_names_of_many_fit_the_name_of_a_file() {
        let named = |name: &str| App { name: name.to_owned(), ..app(HELLO).unwrap() };
        let two = named("redis").with_beside(vec![named("memcached")]).unwrap();
        assert_eq!(two.title(), "redis+memcached");
        let many = (0..40).map(|at| named(&format!("application-{at}"))).collect();
        assert_eq!(named("redis").with_beside(many).unwrap().title(), "redis+40-others");
    }

    #[test]
    fn parties_are_machines_that_end() {
        let with = |count: u32, ready: &str| {
            let parties = format!("[parties]\ncount = {count}\nport = 7100\nargs = ['--id', '{{id}}']");
            app(&format!("{}\n{parties}", HELLO.replace("\"exit\"", ready)))
        };
        assert_eq!(with(3, "\"exit\"").unwrap().parties.unwrap().count, 3);
        insta::assert_snapshot!(with(1, "\"exit\"").unwrap_err(), @"`parties.count` is 1; 2 to 8 was expected");
        insta::assert_snapshot!(
            with(3, "{ tcp = 7100 }\nports = [7100]").unwrap_err(),
            @r#"`parties` is for applications with `guest.ready = "exit"`"#
        );
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = app(&format!("{HELLO}\nmemory = 3")).unwrap_err().to_string();
        assert!(error.contains("unknown field `memory`, expected one of `args`"), "{error}");
    }

    #[test]
    fn a_missing_guest_file_is_refused() {
        let error = app(&format!("{HELLO}\nfiles = {{ \"/etc/x\" = \"x\" }}")).unwrap_err();
        insta::assert_snapshot!(error, @"`guest.files`: /nowhere/x does not exist");
    }
}
