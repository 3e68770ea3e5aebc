//! The lean kernel profile: the kernel without the tools around it, uncompressed and entered directly, on a machine with a network
//! card and nothing else. docs/boot.md says what it is for and what it leaves out.

mod answer;
mod bench;
mod guest;
mod initramfs;
mod phases;
mod size;
mod table;
mod throughput;

pub use bench::{BootJob, check_privilege, run as bench};
pub use guest::{Options, Server};

use crate::requests::Requests;
use crate::schema;
use anyhow::{Context, Result};
use std::path::PathBuf;
use ukl_app::image;
use ukl_host::cache::Key;
use ukl_host::failure::Failure;
use ukl_repo::config::{App, KernelProfile, Level};
use ukl_repo::ctx::Ctx;
use ukl_report::record::{Kind, Metric, Sample};

/// What is booted.
#[derive(Clone, Debug)]
pub struct Image {
    pub app: App,
    pub level: Level,
    /// How the server is loaded, and with which arguments it runs: no disk, no persistence.
    pub requests: Requests,
    /// Without symbols: QEMU loads the file whole.
    pub kernel: PathBuf,
    /// The same with symbols.
    pub symbols: PathBuf,
    /// The same compressed, for machines with other firmware.
    pub bzimage: PathBuf,
    pub initramfs: PathBuf,
}

impl Image {
    /// The image of an application at a level, with everything built that is missing; `beside` is a shell script for the
    /// guest, run beside the application.
    pub fn build(ctx: &Ctx, app: &App, level: &Level, beside: Option<&str>) -> Result<Self> {
        let Some(requests) = schema::requests(&ctx.repo, app)? else {
            return Err(Failure::usage(
                format!(
                    "application `{}` is no server that the lean kernel profile can ask: it has no [requests]",
                    app.name
                ),
                format!("write the section into {}, or name `--app redis`", schema::path(app).display()),
            ));
        };
        let image = image::image_on(ctx, app, level, KernelProfile::Lean)?;
        let key = Key::new("lean-kernel-v1").file(&image.vmlinux)?;
        let dir = ctx.cache.step("lean-kernel", &key, |out| {
            std::fs::write(out.join("vmlinux"), initramfs::stripped(&image.vmlinux)?).context("writing the kernel")
        })?;
        let arguments = requests.arguments.as_ref().unwrap_or(&app.guest.args);
        Ok(Image {
            app: app.clone(),
            level: level.clone(),
            kernel: dir.join("vmlinux"),
            symbols: image.vmlinux,
            bzimage: image.bzimage,
            initramfs: initramfs::build(ctx, app, level, arguments, beside)?,
            requests,
        })
    }

    /// bzImage and the compressed initramfs together.
    pub fn compressed_bytes(&self) -> Result<u64> {
        Ok(size::Sizes::of(self)?.compressed())
    }

    /// A value of this image.
    fn sample(&self, metric: Metric, kind: Kind, round: u32, value: f64) -> Sample {
        Sample::new(&self.app.name, &self.level.name, metric, kind, round, value)
    }
}
