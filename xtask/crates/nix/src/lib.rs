//! The flake: a Nix where there is none, and its tests.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod nix;
