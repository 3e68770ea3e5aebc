//! What the crate answers in an ordinary process, where `cargo test` runs.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;
use ukl::{Call, Errno, NoSuchPath, Path};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_process_is_at_level_linux_and_outside_the_kernel() {
    assert_eq!((ukl::level(), ukl::in_kernel()), ("linux", false));
}

#[test]
fn a_process_has_one_path() {
    assert_eq!(ukl::path(Call::READ), Ok(Path::Full));
    assert_eq!(ukl::set_path(Call::READ, Path::Full), Ok(()));
    for path in [Path::Direct, Path::Shortcut] {
        assert_eq!(ukl::set_path(Call::SENDTO, path), Err(NoSuchPath { call: Call::SENDTO, path: Some(path) }));
    }
    let refusal = ukl::set_path(Call::SENDTO, Path::Direct).unwrap_err().to_string();
    assert_eq!(refusal, "level linux has no path Direct for system call 44");
    assert_eq!(ukl::path(Call(-1)).unwrap_err().to_string(), "-1 is not the number of a system call");
    assert!(ukl::path(Call(100_000)).is_err());
}

#[test]
fn bytes_arrive_and_errors_have_their_numbers() {
    let (one, other) = pair();
    let mut buffer = [0; 8];
    assert_eq!(ukl::try_recv(&other, &mut buffer), Err(Errno::WOULD_BLOCK));
    assert_eq!(ukl::send(&one, b"hello"), Ok(5));
    assert_eq!(ukl::recv(&other, &mut buffer), Ok(5));
    assert_eq!(&buffer[..5], b"hello");
    one.shutdown(Shutdown::Write).unwrap();
    assert_eq!(ukl::recv(&other, &mut buffer), Ok(0));
    assert_eq!(ukl::send(&one, b"more"), Err(Errno::BROKEN_PIPE));
    assert_eq!(ukl::send(-1, b"x"), Err(Errno::BAD_DESCRIPTOR));
    assert_eq!(ukl::send(&std::fs::File::open("/dev/null").unwrap(), b"x"), Err(Errno::NOT_A_SOCKET));
}

#[test]
fn a_full_buffer_takes_no_more() {
    let (one, _other) = pair();
    let block = vec![7; 1 << 20];
    let mut taken = 0;
    let refusal = loop {
        match ukl::try_send(&one, &block) {
            Ok(length) => taken += length,
            Err(errno) => break errno,
        }
    };
    assert_eq!(refusal, Errno::WOULD_BLOCK);
    assert!(taken > 0);
}

#[test]
fn the_clock_goes_on() {
    let before = ukl::monotonic();
    std::thread::sleep(Duration::from_millis(2));
    assert!(ukl::monotonic() - before >= Duration::from_millis(2));
}
