//! What a program that is linked into the Linux kernel can ask of it: where it runs, how its system calls are made, data over
//! a connected socket without the layers between, and the time without a system call.
//!
//! The same source runs everywhere. In an ordinary process, built by plain `cargo` or at level `linux`, [`level`] is `"linux"`,
//! the only [`Path`] is [`Path::Full`], and [`send`], [`recv`] and [`monotonic`] are what the C library has.
//!
//! ```
//! use std::io::Write;
//! use std::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! let (server, _) = listener.accept()?;
//! client.write_all(b"hello")?;
//! let mut buffer = [0; 16];
//! let length = ukl::recv(&server, &mut buffer)?;
//! assert_eq!(&buffer[..length], b"hello");
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]

mod errno;
mod path;
mod runtime;
mod socket;

pub use errno::Errno;
pub use path::{Call, NoSuchPath, Path, path, set_path};
pub use socket::{Socket, recv, send, try_recv, try_send};

use core::time::Duration;

/// The level the program was linked for: `"base"`, `"byb"`, …, a file of `kernel/levels`; `"linux"` in an ordinary process.
pub fn level() -> &'static str {
    runtime::level()
}

/// Whether the calling code runs in the kernel: at privilege level 0, with the kernel's own text around it.
pub fn in_kernel() -> bool {
    runtime::privilege_level() == 0
}

/// The time since some moment before the program began, with the clock's resolution, mostly 1 ns. It never goes back, and it
/// is the same clock in all threads and processes (`CLOCK_MONOTONIC`). In the kernel it is read from the kernel's own data.
pub fn monotonic() -> Duration {
    Duration::from_nanos(runtime::monotonic_ns())
}
