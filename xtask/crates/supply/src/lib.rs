//! Says what goes into an image and whether it is still the same: pins, bill of materials, second builds.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod pins;
pub mod reproduce;
pub mod sbom;
