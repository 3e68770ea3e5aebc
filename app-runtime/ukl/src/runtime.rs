//! What answers: the runtime that a program built by `ukl-cargo` is linked with, or the C library of an ordinary one.

use core::ffi::c_int;

pub(crate) use answers::{get_path, level, monotonic_ns, recv, send, set_path};

/// The current privilege level: the low two bits of CS (Intel SDM volume 3, "Privilege levels").
#[cfg(target_arch = "x86_64")]
pub(crate) fn privilege_level() -> u32 {
    let cs: u32;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {0:e}, cs", out(reg) cs, options(nomem, nostack, preserves_flags)) };
    cs & 3
}

/// No kernel of another architecture has programs linked into it.
#[cfg(not(target_arch = "x86_64"))]
pub fn privilege_level() -> u32 {
    3
}

/// The functions of `<ukl.h>`.
#[cfg(ukl)]
mod answers {
    use super::c_int;
    use core::ffi::{CStr, c_char, c_void};

    mod c {
        use super::{c_char, c_int, c_void};

        unsafe extern "C" {
            pub safe fn ukl_level() -> *const c_char;
            pub safe fn ukl_set_path(number: c_int, path: c_int) -> c_int;
            pub safe fn ukl_get_path(number: c_int) -> c_int;
            pub safe fn ukl_monotonic_ns() -> u64;
            pub fn ukl_send(fd: c_int, bytes: *const c_void, length: usize, flags: c_int) -> isize;
            pub fn ukl_recv(fd: c_int, buffer: *mut c_void, length: usize, flags: c_int) -> isize;
        }
    }

    pub use c::{ukl_get_path as get_path, ukl_monotonic_ns as monotonic_ns, ukl_set_path as set_path};

    pub fn level() -> &'static str {
        // SAFETY: the runtime's string ends with a zero byte and is never changed.
        let level = unsafe { CStr::from_ptr(c::ukl_level()) };
        // The link takes only names of ASCII characters.
        level.to_str().unwrap_or_default()
    }

    /// The length, or a negative error number.
    pub fn send(fd: c_int, bytes: &[u8], flags: c_int) -> isize {
        // SAFETY: the kernel only reads `bytes`.
        unsafe { c::ukl_send(fd, bytes.as_ptr().cast(), bytes.len(), flags) }
    }

    /// The length, or a negative error number.
    pub fn recv(fd: c_int, buffer: &mut [u8], flags: c_int) -> isize {
        // SAFETY: the kernel writes into `buffer` and not behind its end.
        unsafe { c::ukl_recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) }
    }
}

/// An ordinary process without our runtime.
#[cfg(not(ukl))]
mod answers {
    use super::c_int;
    use core::ffi::{c_long, c_void};

    /// Call numbers from here on exist nowhere; as in app-runtime/src/paths.rs.
    const NUMBERS: c_int = 512;
    const FULL: c_int = 0;
    const CLOCK_MONOTONIC: c_int = 1;

    mod c {
        use super::{c_int, c_long, c_void};

        /// `struct timespec` where `time_t` is a `long`.
        #[repr(C)]
        pub(super) struct Timespec {
            pub seconds: c_long,
            pub nanoseconds: c_long,
        }

        unsafe extern "C" {
            pub(super) fn send(fd: c_int, bytes: *const c_void, length: usize, flags: c_int) -> isize;
            pub(super) fn recv(fd: c_int, buffer: *mut c_void, length: usize, flags: c_int) -> isize;
            pub(super) fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
            pub(super) fn __errno_location() -> *mut c_int;
        }
    }

    /// -1 and `errno` become the negative error number.
    fn answer(result: isize) -> isize {
        // SAFETY: the C library's variable of the calling thread.
        if result < 0 { -(unsafe { *c::__errno_location() } as isize) } else { result }
    }

    pub(crate) fn level() -> &'static str {
        "linux"
    }

    pub(crate) fn get_path(number: c_int) -> c_int {
        if (0..NUMBERS).contains(&number) { FULL } else { -1 }
    }

    pub(crate) fn set_path(number: c_int, path: c_int) -> c_int {
        if path == FULL { get_path(number) } else { -1 }
    }

    /// The length, or a negative error number.
    pub(crate) fn send(fd: c_int, bytes: &[u8], flags: c_int) -> isize {
        // SAFETY: the kernel only reads `bytes`.
        answer(unsafe { c::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) })
    }

    /// The length, or a negative error number.
    pub(crate) fn recv(fd: c_int, buffer: &mut [u8], flags: c_int) -> isize {
        // SAFETY: the kernel writes into `buffer` and not behind its end.
        answer(unsafe { c::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) })
    }

    pub(crate) fn monotonic_ns() -> u64 {
        let mut time = c::Timespec { seconds: 0, nanoseconds: 0 };
        // SAFETY: the clock exists and `time` is a place for its time.
        unsafe { c::clock_gettime(CLOCK_MONOTONIC, &mut time) };
        time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
    }
}
