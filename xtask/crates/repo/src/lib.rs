//! The checkout, and what its TOML files say.

pub mod config;
pub mod ctx;
pub mod repo;
