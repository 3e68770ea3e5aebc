//! Random system calls, and Debian under load for as long as one likes.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod fuzz;
pub mod soak;
