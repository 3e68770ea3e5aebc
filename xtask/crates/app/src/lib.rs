//! Builds applications: toolchain, libraries, objects, images and symbols.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod app;
pub mod build;
pub mod cxx;
pub mod image;
pub mod library;
pub mod musl;
pub mod new;
pub mod packages;
pub mod recipe;
pub mod symbols;
pub mod toolchain;
pub mod tools;
