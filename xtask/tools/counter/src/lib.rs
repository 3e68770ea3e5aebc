//! A plug-in for QEMU's emulation (TCG) that counts the instructions of every task in the guest between two marks.
//!
//! What goes in is a [`Spec`], made from the kernel's image; what comes out is a [`Report`]. The rules by which an
//! instruction belongs to a task and a class stand in `attribution.rs` and know nothing of QEMU.

mod attribution;
mod functions;
mod plugin;
mod points;
mod qemu;
mod report;
mod spec;

pub use report::{Classes, FunctionCount, Report, TaskCount};
pub use spec::{Function, Range, Spec, Switch, Watch};

/// A process executes the instruction at this address, a `ret`, when the measured part begins.
pub const BEGIN_MARK: u64 = 0x133_7000_0000;
/// And the one here when it ends. Both lie in a page that the process maps for this purpose.
pub const END_MARK: u64 = BEGIN_MARK + 16;
