//! Builds the kernel of a flavour once, for every level and application.

use crate::config::KernelFlavour;
use crate::ctx::Ctx;
use anyhow::{Result, bail};
use std::path::PathBuf;

/// A built kernel.
#[derive(Clone, Debug)]
pub struct KernelBuild {
    /// The source tree, patched for `Ukl`.
    pub source: PathBuf,
    /// The `O=` tree with the objects.
    pub output: PathBuf,
    /// Identity of sources, patches and configuration.
    pub key: String,
}

/// The source tree of a flavour.
pub fn kernel_source(_ctx: &Ctx, _flavour: KernelFlavour) -> Result<PathBuf> {
    bail!("kernel sources are not built yet")
}

/// The built kernel of a flavour.
pub fn kernel(_ctx: &Ctx, _flavour: KernelFlavour) -> Result<KernelBuild> {
    bail!("the kernel is not built yet")
}
