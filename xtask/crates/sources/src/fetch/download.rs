//! One download over plain HTTP: streamed to a partial file, resumed where an earlier attempt ended.

use super::progress::Progress;
use crate::apt;
use anyhow::{Context, Result, bail};
use fs_err::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;
use ukl_host::failure::Failure;

/// One attempt may take this long; what it got is kept, and the next attempt goes on from there.
const ATTEMPT: Duration = Duration::from_secs(120);
/// How long a server may take to connect or to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// This many attempts in a row may bring nothing before the address is given up.
const FRUITLESS_ATTEMPTS: u32 = 3;

/// How a download ended when nothing went wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The partial file has every byte the server has.
    Complete,
    /// The server says that it has no such file.
    Absent,
}

/// Downloads `address` to `partial`, going on from what `partial` holds already.
pub(super) fn download(address: &str, partial: &Path) -> Result<Outcome> {
    eprintln!("$ download {address}");
    if !address.starts_with("http://") || apt::uses_proxy() {
        return apt::download(address, partial).map(|()| Outcome::Complete);
    }
    let mut fruitless = 0;
    loop {
        let before = size(partial);
        match attempt(address, partial, before) {
            Ok(outcome) => return Ok(outcome),
            // Another attempt would meet the same disk.
            Err(error) if error.is::<Failure>() => return Err(error),
            Err(error) if size(partial) == before => {
                fruitless += 1;
                if fruitless == FRUITLESS_ATTEMPTS {
                    return Err(error);
                }
                eprintln!("  {error:#}; trying again");
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(error) => {
                fruitless = 0;
                eprintln!("  {error:#}; going on at byte {}", size(partial));
            }
        }
    }
}

/// One request from byte `start` on.
fn attempt(address: &str, partial: &Path, start: u64) -> Result<Outcome> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(ANSWER))
        .timeout_recv_response(Some(ANSWER))
        .timeout_recv_body(Some(ATTEMPT))
        .user_agent(concat!("ukl-xtask/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let request = agent.get(address);
    let request = if start > 0 { request.header("range", format!("bytes={start}-")) } else { request };
    let mut response = match request.call() {
        // The address leads to one with TLS, which apt can do.
        Err(ureq::Error::TlsRequired) => return apt::download(address, partial).map(|()| Outcome::Complete),
        answer => answer.context("no answer")?,
    };
    let length = content_length(&response);
    let (start, total) = match response.status().as_u16() {
        200 => (0, length),
        206 => (start, length.map(|length| start + length)),
        404 | 410 => return Ok(Outcome::Absent),
        // Nothing lies beyond what we have: it is complete, or not the right file, which the hash will tell.
        416 => return Ok(Outcome::Complete),
        status => bail!("the server answered with status {status}"),
    };
    let mut file = OpenOptions::new().create(true).append(start > 0).write(true).truncate(start == 0).open(partial)?;
    let mut progress = Progress::new(partial, start, total);
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut received = start;
    loop {
        let count = body.read(&mut buffer).context("the transfer broke off")?;
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count]).map_err(|error| unwritable(partial, &error))?;
        received += count as u64;
        progress.at(received);
    }
    if total.is_some_and(|total| received < total) {
        bail!("the server closed the connection after {received} bytes");
    }
    progress.finish(received);
    Ok(Outcome::Complete)
}

fn unwritable(partial: &Path, error: &std::io::Error) -> anyhow::Error {
    Failure::new(
        format!("writing {}: {error}", partial.display()),
        "free some space, or set UKL_CACHE to a folder on a larger disk; the same command goes on where it ended",
    )
}

fn content_length<T>(response: &ureq::http::Response<T>) -> Option<u64> {
    response.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

/// Size in bytes of a file that may not exist.
fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    /// A server that gives each connection the next answer and returns the requests it got.
    fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/x.tar.gz", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let reader = BufReader::new(stream.try_clone().unwrap());
                let lines = reader.lines().map(Result::unwrap).take_while(|line| !line.is_empty());
                requests.push(lines.collect::<Vec<_>>().join("\n").to_lowercase());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            requests
        });
        (address, server)
    }

    fn answer(status: &str, length: usize, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    #[test]
    fn a_broken_transfer_goes_on_where_it_ended() {
        let (address, server) = serve(vec![answer("200 OK", 10, "01234"), answer("206 Partial Content", 5, "56789")]);
        let dir = tempfile::tempdir().unwrap();
        let partial = dir.path().join("x.partial");
        assert_eq!(download(&address, &partial).unwrap(), Outcome::Complete);
        assert_eq!(fs_err::read_to_string(&partial).unwrap(), "0123456789");
        let requests = server.join().unwrap();
        assert!(!requests[0].contains("range:"), "{}", requests[0]);
        assert!(requests[1].contains("range: bytes=5-"), "{}", requests[1]);
    }

    #[test]
    fn a_server_without_ranges_starts_over() {
        let (address, server) = serve(vec![answer("200 OK", 4, "full")]);
        let dir = tempfile::tempdir().unwrap();
        let partial = dir.path().join("x.partial");
        fs_err::write(&partial, "leftover").unwrap();
        assert_eq!(download(&address, &partial).unwrap(), Outcome::Complete);
        assert_eq!(fs_err::read_to_string(&partial).unwrap(), "full");
        assert!(server.join().unwrap()[0].contains("range: bytes=8-"));
    }

    #[test]
    fn an_absent_file_is_not_an_error_and_leaves_nothing() {
        let (address, server) = serve(vec![answer("404 Not Found", 0, "")]);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(download(&address, &dir.path().join("x.partial")).unwrap(), Outcome::Absent);
        assert!(!dir.path().join("x.partial").exists());
        server.join().unwrap();
    }
}
