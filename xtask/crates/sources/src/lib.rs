//! Finds, fetches, checks and unpacks tarballs, Debian packages and crates.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod apt;
pub mod doctor;
pub mod fetch;
pub mod unpack;
