//! Boots an application and talks to it.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod debug;
pub mod lines;
pub mod memcached;
pub mod resp;
pub mod run;
pub mod smoke;
