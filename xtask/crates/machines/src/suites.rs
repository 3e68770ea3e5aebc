//! The tests of other machines, as suites like those of `vmtest`.

mod bochs;
mod cpus;
mod hello;
mod kvm;

use ukl_vmtest::vmtest::Suite;

/// Every suite, in the order in which they run.
pub const SUITES: &[&Suite] =
    &[&kvm::HELLO, &kvm::REDIS, &kvm::BEHAVIOUR, &bochs::HELLO, &bochs::ENTRY, &bochs::BEHAVIOUR, &cpus::SUITE];
