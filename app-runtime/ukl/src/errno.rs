//! The errors of system calls.

use core::fmt;

/// Why a system call failed: a number of `errno(3)`, from 1 to 4095.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// A signal came before anything was done (`EINTR`): make the call again.
    pub const INTERRUPTED: Errno = Errno(4);
    /// Not an open descriptor (`EBADF`).
    pub const BAD_DESCRIPTOR: Errno = Errno(9);
    /// The call would have to wait (`EAGAIN`).
    pub const WOULD_BLOCK: Errno = Errno(11);
    /// The other side takes nothing any more (`EPIPE`).
    pub const BROKEN_PIPE: Errno = Errno(32);
    /// Not a socket (`ENOTSOCK`).
    pub const NOT_A_SOCKET: Errno = Errno(88);
    /// The other side has reset the connection (`ECONNRESET`).
    pub const CONNECTION_RESET: Errno = Errno(104);

    /// The number, as in `<errno.h>`.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The kernel's way to answer: a result, or the negative number of an error.
    pub(crate) fn check(result: isize) -> Result<usize, Errno> {
        usize::try_from(result).map_err(|_| Errno(i32::try_from(result.unsigned_abs()).unwrap_or(i32::MAX)))
    }
}

impl fmt::Display for Errno {
    #[cfg(feature = "std")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::io::Error::from_raw_os_error(self.0).fmt(f)
    }

    #[cfg(not(feature = "std"))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system call error {}", self.0)
    }
}

impl core::error::Error for Errno {}

#[cfg(feature = "std")]
impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        std::io::Error::from_raw_os_error(errno.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_result_is_an_error_and_any_other_a_length() {
        assert_eq!(Errno::check(-11), Err(Errno::WOULD_BLOCK));
        assert_eq!(Errno::check(0), Ok(0));
        assert_eq!(Errno::check(4096), Ok(4096));
        assert_eq!(std::io::Error::from(Errno::WOULD_BLOCK).kind(), std::io::ErrorKind::WouldBlock);
    }
}
