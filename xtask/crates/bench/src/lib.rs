//! Measures instructions, throughput, latency, boots and profiles.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod bench;
pub mod calls;
pub mod lean;
pub mod profile;
pub mod requests;
pub mod schema;
