//! Data over a connected socket.

use crate::{Errno, runtime};
use core::ffi::c_int;

/// A socket by its descriptor. With the feature `std`, a reference to any socket of the standard library is one.
pub trait Socket {
    /// The descriptor's number.
    fn descriptor(&self) -> c_int;
}

impl Socket for c_int {
    fn descriptor(&self) -> c_int {
        *self
    }
}

#[cfg(feature = "std")]
impl<T: std::os::fd::AsFd> Socket for &T {
    fn descriptor(&self) -> c_int {
        use std::os::fd::AsRawFd;
        self.as_fd().as_raw_fd()
    }
}

/// Return instead of waiting.
const MSG_DONTWAIT: c_int = 0x40;
/// An error, and no signal, when the other side takes nothing any more; what the standard library does as well.
const MSG_NOSIGNAL: c_int = 0x4000;

/// Sends bytes, waits for room in the socket's buffer if there is none, and returns how many were taken: at least 1 unless
/// `bytes` is empty, and not always all.
///
/// Errors: [`Errno::BROKEN_PIPE`], [`Errno::CONNECTION_RESET`], [`Errno::INTERRUPTED`], and the others of `send(2)`. The call
/// is no cancellation point.
pub fn send(socket: impl Socket, bytes: &[u8]) -> Result<usize, Errno> {
    Errno::check(runtime::send(socket.descriptor(), bytes, MSG_NOSIGNAL))
}

/// The same without waiting: [`Errno::WOULD_BLOCK`] when there is no room.
pub fn try_send(socket: impl Socket, bytes: &[u8]) -> Result<usize, Errno> {
    Errno::check(runtime::send(socket.descriptor(), bytes, MSG_NOSIGNAL | MSG_DONTWAIT))
}

/// Receives into `buffer`, waits if nothing has arrived, and returns how many bytes did; 0 when the other side has ended its
/// stream, or the buffer is empty.
///
/// Errors: [`Errno::CONNECTION_RESET`], [`Errno::INTERRUPTED`], and the others of `recv(2)`. The call is no cancellation point.
pub fn recv(socket: impl Socket, buffer: &mut [u8]) -> Result<usize, Errno> {
    Errno::check(runtime::recv(socket.descriptor(), buffer, 0))
}

/// The same without waiting: [`Errno::WOULD_BLOCK`] when nothing has arrived.
pub fn try_recv(socket: impl Socket, buffer: &mut [u8]) -> Result<usize, Errno> {
    Errno::check(runtime::recv(socket.descriptor(), buffer, MSG_DONTWAIT))
}
