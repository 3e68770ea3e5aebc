//! The flake, reproducible builds, and what an image consists of.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod nix;
pub mod reproduce;
pub mod sbom;
