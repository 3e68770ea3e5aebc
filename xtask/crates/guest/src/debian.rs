//! A Debian root for the guest, made by the machine's own apt: docs/userland.md says what it is for and what it costs.

mod enter;
mod image;
mod tools;

pub use enter::enter;
pub use image::root;
pub use tools::tools;

/// The folder of the repository with what makes the root.
const FOLDER: &str = "guest/debian";
/// The first process of a machine that has the root, in the initramfs.
pub const INIT: &str = "/debian-init";
