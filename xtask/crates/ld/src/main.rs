//! `ukl-ld`: what gcc finds as `ld` in the folder of ukl-cc. See `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ukl_ld::main()
}
