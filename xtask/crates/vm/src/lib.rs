//! Runs a virtual machine: its arguments, network, console and end.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod net;
pub mod qemu;
pub mod vm;
