//! The page of system calls against the kernel that the machines of other suites boot.

use super::suite::{Apps, Machines, Quick, Suite, When, words};
use ukl_kernel::compatibility;

/// Costs a second where that kernel is built.
pub(super) const SUITE: Suite = Suite {
    name: "compatibility",
    summary: "the table of docs/compatibility.md is that of the built kernel",
    prefix: "compatibility/",
    apps: Apps::None,
    machines: &[Machines { levels: None, cpus: 1, when: When::Default }],
    quick: Quick::Smallest,
    tests: |_, _| Ok(words(&["table"])),
    run: |ctx, part, tally| {
        tally.check(&part.test("table"), compatibility::test(ctx));
        Ok(())
    },
};
