//! Which ports of this machine lead to which ones of the guest.

use anyhow::Result;
use std::str::FromStr;
use ukl_host::failure::Failure;
use ukl_repo::config::App;
use ukl_vm::net::Forward;

/// `HOST` or `HOST:GUEST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub host: u16,
    /// Absent, it is the application's first port, or the same number for a program that has no manifest.
    pub guest: Option<u16>,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| match text.parse::<u16>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("`{text}` is no port: a number in 1..=65535 was expected")),
        };
        match text.split_once(':') {
            None => Ok(Port { host: number(text)?, guest: None }),
            Some((host, guest)) => Ok(Port { host: number(host)?, guest: Some(number(guest)?) }),
        }
    }
}

/// The application's ports under the same numbers on the host, but for those that are given.
pub(super) fn forwards(app: &App, given: &[Port]) -> Result<Vec<Forward>> {
    let ports: Vec<u16> = app.all().flat_map(|app| &app.guest.ports).copied().collect();
    let Some(first) = ports.first() else {
        return match given {
            [] => Ok(vec![]),
            _ => Err(Failure::usage(
                format!("application `{}` has no port", app.name),
                "leave `--port` out, or name a port under `[guest] ports` in its app.toml",
            )),
        };
    };
    let mut forwards: Vec<_> = ports.iter().map(|&guest| Forward { host: guest, guest }).collect();
    let mut seen = Vec::new();
    for port in given {
        let guest = port.guest.unwrap_or(*first);
        let Some(forward) = forwards.iter_mut().find(|forward| forward.guest == guest) else {
            return Err(Failure::usage(
                format!("application `{}` has no port {guest}", app.name),
                format!("give --port HOST:GUEST one of: {ports:?}"),
            ));
        };
        if seen.contains(&guest) {
            return Err(Failure::usage(
                format!("`--port` is given twice for port {guest} of {}", app.name),
                "name another port with `--port HOST:GUEST`",
            ));
        }
        seen.push(guest);
        forward.host = port.host;
    }
    Ok(forwards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_or_two() {
        assert_eq!("8080".parse(), Ok(Port { host: 8080, guest: None }));
        assert_eq!("8080:80".parse(), Ok(Port { host: 8080, guest: Some(80) }));
        for text in ["0", "65536", "80:", ":80", "a", "1:2:3"] {
            assert!(text.parse::<Port>().is_err(), "{text}");
        }
    }
}
