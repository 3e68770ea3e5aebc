//! `cargo xtask toolchain`: where the compiler is, in the form that whoever asks can use.

use super::folder::{self, Contents};
use super::toolchain;
use anyhow::Result;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use ukl_sources::doctor;

/// Options of `toolchain`.
#[derive(clap::Args)]
pub struct Args {
    /// Only the folder for PATH: export PATH="$(cargo xtask toolchain --bin):$PATH"
    #[arg(long, conflicts_with = "env")]
    bin: bool,
    /// Commands for a shell that set PATH, CC and all the rest: eval "$(cargo xtask toolchain --env)"
    #[arg(long)]
    env: bool,
    /// Also C++: the first time its library is downloaded and built, which takes some minutes.
    #[arg(long)]
    cxx: bool,
    /// A library of apps/libraries/ that pkg-config and CMake are to find, such as libevent; may be repeated.
    #[arg(long, value_name = "NAME")]
    library: Vec<String>,
}

/// Runs `toolchain`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    args.library.iter().try_for_each(|name| ctx.repo.library(name).map(drop))?;
    doctor::prepare(ctx)?;
    let toolchain = toolchain(ctx)?;
    let place = folder::folder(ctx, &toolchain, Contents { cxx: args.cxx, libraries: &args.library })?;
    let shown = place.display();
    if args.bin {
        println!("{}", place.join("bin").display());
    } else if args.env {
        for (name, value) in folder::environment(&place) {
            println!("export {name}={}", process::quoted(&value));
        }
    } else {
        println!("programs  {shown}/bin (ukl-cc, ukl-c++, ukl-ar, …)");
        println!("make      export PATH=\"{shown}/bin:$PATH\"; CC=ukl-cc make");
        println!("autoconf  CONFIG_SITE={shown}/config.site CC=ukl-cc ./configure");
        println!("cmake     cmake -DCMAKE_TOOLCHAIN_FILE={shown}/toolchain.cmake");
        println!("meson     meson setup --cross-file {shown}/cross.ini");
        println!("all       eval \"$(cargo xtask toolchain --env)\"");
    }
    Ok(())
}
