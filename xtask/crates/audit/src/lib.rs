//! Says whether an object may be linked into the kernel, and reads what a linked program holds.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod audit;
pub mod program;
