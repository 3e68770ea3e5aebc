//! The root as a disk of tools for the small guest.

use super::{INIT, enter, root};
use crate::initramfs::ExtraFile;
use anyhow::Result;
use std::path::PathBuf;
use ukl_repo::ctx::Ctx;
use ukl_vm::vm::Plan;

/// What a machine with the small guest needs for `chroot /debian perf ...` to work in its shell.
#[derive(Clone, Debug)]
pub struct Tools {
    /// For the initramfs.
    pub files: Vec<ExtraFile>,
    root: PathBuf,
}

impl Tools {
    /// Adds the disk and its first process to a machine whose initramfs has the files.
    pub fn add(&self, plan: &mut Plan) {
        plan.debian = Some(self.root.clone());
        plan.append.push(format!("rdinit={INIT}"));
    }
}

/// The tools; the root is made when there is none.
pub fn tools(ctx: &Ctx) -> Result<Tools> {
    Ok(Tools { files: enter(ctx)?, root: root(ctx)? })
}
