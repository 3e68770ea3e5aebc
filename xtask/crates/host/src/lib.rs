//! What a program on this machine needs, whatever it is for: processes, terminal, cache and locks.

// First, because its macros take the place of the standard library's in all that follows.
#[macro_use]
pub mod terminal;

pub mod atomic;
pub mod cache;
pub mod columns;
pub mod failure;
pub mod interrupt;
pub mod prebuilt;
pub mod process;
