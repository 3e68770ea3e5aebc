//! The checkout and what its TOML files say, valid.

pub mod config;
pub mod ctx;
pub mod repo;
