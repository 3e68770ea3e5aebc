//! The linker wrapper: this program under the name `ld`.

use std::process::ExitCode;

/// Runs as a linker.
pub fn main() -> ExitCode {
    eprintln!("ld: the linker wrapper is not built yet");
    ExitCode::FAILURE
}
