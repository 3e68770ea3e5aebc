//! Runs the kernel's own selftests (`tools/testing/selftests` of the pinned sources) as processes and in ring 0, and compares
//! what comes out.

mod build;
mod collection;
mod guest;
mod judge;
mod outcome;
#[cfg(test)]
mod page;
mod record;
mod suite;

pub use suite::SUITE;
