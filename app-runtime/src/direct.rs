//! What a program may call past its C library: data over a socket, and the clock.

use crate::call;
use core::ffi::{c_int, c_long, c_void};

/// `CLOCK_MONOTONIC` of `<time.h>`.
const CLOCK_MONOTONIC: c_int = 1;
const NS_PER_S: u64 = 1_000_000_000;

/// `struct timespec`.
#[repr(C)]
struct Timespec {
    seconds: c_long,
    nanoseconds: c_long,
}

/// `ukl_send` of `<ukl.h>`.
///
/// # Safety
/// `bytes` points to `length` bytes that may be read; if not, the answer is an error.
#[unsafe(no_mangle)]
unsafe extern "C" fn ukl_send(fd: c_int, bytes: *const c_void, length: usize, flags: c_int) -> isize {
    // SAFETY: sendto without an address only reads `bytes`.
    unsafe { call::sendto(fd as u64, bytes as u64, length as u64, flags as u64) as isize }
}

/// `ukl_recv` of `<ukl.h>`.
///
/// # Safety
/// `buffer` points to `length` bytes that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn ukl_recv(fd: c_int, buffer: *mut c_void, length: usize, flags: c_int) -> isize {
    // SAFETY: recvfrom without an address only writes to `buffer`.
    unsafe { call::recvfrom(fd as u64, buffer as u64, length as u64, flags as u64) as isize }
}

/// `ukl_monotonic_ns` of `<ukl.h>`.
#[unsafe(no_mangle)]
extern "C" fn ukl_monotonic_ns() -> u64 {
    unsafe extern "C" {
        /// The C library's, which reads the vDSO.
        #[cfg(feature = "process")]
        fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
        /// The kernel's code for the vDSO as text of the application.
        #[cfg(not(feature = "process"))]
        #[link_name = "ukl_clock_gettime"]
        fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
    }
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: `time` is a place for the time; the clock exists, so there is one.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &mut time) };
    time.seconds as u64 * NS_PER_S + time.nanoseconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    /// `EBADF` of the kernel's include/uapi/asm-generic/errno-base.h.
    const EBADF: isize = 9;

    #[test]
    fn bytes_go_over_a_socket_and_an_error_is_a_negative_number() {
        let (from, to) = UnixStream::pair().unwrap();
        let mut buffer = [0_u8; 8];
        // SAFETY: each call gets the address and the length of an array.
        unsafe {
            assert_eq!(ukl_send(from.as_raw_fd(), b"hello".as_ptr().cast(), 5, 0), 5);
            assert_eq!(ukl_recv(to.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0), 5);
            assert_eq!(ukl_send(-1, b"hello".as_ptr().cast(), 5, 0), -EBADF);
            assert_eq!(ukl_recv(-1, buffer.as_mut_ptr().cast(), buffer.len(), 0), -EBADF);
        }
        assert_eq!(&buffer, b"hello\0\0\0");
    }

    #[test]
    fn the_clock_counts_nanoseconds() {
        let pause = Duration::from_millis(2);
        let before = ukl_monotonic_ns();
        assert!(before > NS_PER_S, "a machine that compiled this began more than a second ago");
        std::thread::sleep(pause);
        let passed = Duration::from_nanos(ukl_monotonic_ns() - before);
        assert!(passed >= pause && passed < Duration::from_secs(60), "{passed:?}");
    }
}
