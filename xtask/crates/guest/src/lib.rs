//! Builds the user space beside the application: initramfs, Debian, logins.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod busybox;
pub mod cpio;
pub mod debian;
pub mod initramfs;
pub mod part;
pub mod userland;
