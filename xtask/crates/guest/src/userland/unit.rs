//! The unit of an application, from its manifest.

use ukl_repo::config::{App, Level, Ready};

/// Where an application's program lies in Debian, without a slash at its beginning.
pub(super) const PROGRAMS: &str = "opt/ukl";

/// How long an application may take to listen, and to save its data when it is stopped.
const START_TIMEOUT_S: u32 = 300;
const STOP_TIMEOUT_S: u32 = 100;

/// The unit's file. `first` says whether the machine is up for this one, or it runs beside another.
pub(super) fn unit(app: &App, level: &Level, program: &str, arguments: &[String], first: bool) -> String {
    let words = std::iter::once(format!("/{PROGRAMS}/{program}")).chain(arguments.iter().map(|word| quoted(word)));
    let command = words.collect::<Vec<_>>().join(" ");
    let name = &app.name;
    let beside = if first { "" } else { " beside" };
    let kind = match app.guest.ready {
        Ready::Tcp(port) => format!(
            "Type=simple\nExecStartPost=/{PROGRAMS}/ready {name} {port}{beside}\nRestart=on-failure\nRestartSec=100ms\n"
        ),
        Ready::Exit => format!("Type=oneshot\nExecStopPost=/{PROGRAMS}/ended {name}{beside}\n"),
    };
    format!(
        "[Unit]\n\
         Description={} at level {}\n\
         After=network.target\n\
         \n\
         [Service]\n\
         ExecStart={command}\n\
         Environment=UKL_BANNER=1\n\
         {kind}\
         TimeoutStartSec={START_TIMEOUT_S}\n\
         TimeoutStopSec={STOP_TIMEOUT_S}\n\
         LimitNOFILE=65536\n\
         CPUAccounting=yes\n\
         MemoryAccounting=yes\n\
         MemoryMax={}M\n",
        description(&app.name),
        level.name,
        app.guest.memory_mib,
    )
}

/// A name without what systemd would replace.
fn description(name: &str) -> String {
    name.replace('%', "%%")
}

/// An argument as systemd.service(5) reads it: quoted, `%` and `$` doubled.
fn quoted(word: &str) -> String {
    let escaped =
        word.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_repo::repo::Repo;

    #[test]
    fn a_server_is_ready_when_it_listens_and_is_started_again_when_it_fails() {
        let repo = Repo::find().unwrap();
        let (app, level) = (repo.app("redis").unwrap(), repo.level("byb").unwrap());
        insta::assert_snapshot!(unit(&app, &level, "redis-server", &app.guest.args, true));
    }

    #[test]
    fn a_program_that_ends_says_how() {
        let repo = Repo::find().unwrap();
        let (app, level) = (repo.app("hello").unwrap(), repo.level("base").unwrap());
        insta::assert_snapshot!(unit(&app, &level, "hello", &["100 %".to_owned(), "$HOME \"x\"".to_owned()], true));
    }
}
