//! Runs and tests the flake where there is no Nix.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod nix;
