//! Patches, configures and builds the kernel, and reads its table of system calls.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod compatibility;
pub mod configure;
pub mod kernel;
pub mod patches;
pub mod source;
pub mod syscalls;
