//! Tests that need a machine, as a table of suites: each says what it boots, what its tests are called and what runs them.

pub mod behaviour;
mod compatibility;
mod differential;
mod echo;
pub mod entry;
mod faults;
mod filter;
mod hello;
mod lean;
mod memcached;
mod new_level;
mod order;
mod packages;
mod parties;
mod programs;
pub mod redis;
mod requests;
mod robustness;
mod security;
pub mod server;
pub mod suite;
mod tally;
mod together;
mod tools;
mod userland;

pub use filter::{Filter, UNIT};
pub use suite::{Part, Suite};
pub use tally::Tally;

/// Every suite of this repository's machines, in the order in which they run.
pub const SUITES: &[&Suite] = &[
    &behaviour::SUITE,
    &behaviour::PREEMPT,
    &compatibility::SUITE,
    &entry::SUITE,
    &redis::SUITE,
    &memcached::SUITE,
    &hello::SUITE,
    &echo::SUITE,
    &together::SUITE,
    &parties::SUITE,
    &differential::SUITE,
    &order::SUITE,
    &requests::SUITE,
    &lean::SUITE,
    &packages::SUITE,
    &tools::SUITE,
    &programs::LINKS,
    &programs::SUITE,
    &userland::SUITE,
    &faults::SUITE,
    &robustness::SUITE,
    &security::SUITE,
    &new_level::SUITE,
];
