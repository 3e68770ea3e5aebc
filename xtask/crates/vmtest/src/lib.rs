//! Tests what needs a machine.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod vmtest;
