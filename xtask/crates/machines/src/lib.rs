//! Runs machines under nested KVM, in Bochs and on many processor models, and tests what runs there.

pub mod bochs;
pub mod boot;
mod debian;
pub mod nested;
pub mod suites;
