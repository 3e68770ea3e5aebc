//! The line `ukl: level=byb cpl=0 pid=123` on standard error, for `UKL_BANNER=1`: proof from inside of where the program
//! runs, without a change to the program.

use crate::{call, level};
use core::ffi::{CStr, c_char};

/// "ukl: level=" + 31 + " cpl=" + 1 + " pid=" + 20 + newline, rounded up.
const LINE_BYTES: usize = 80;

/// A line of bounded length; what does not fit is left out.
struct Line {
    bytes: [u8; LINE_BYTES],
    used: usize,
}

impl Line {
    fn push(&mut self, text: &[u8]) {
        for &byte in text {
            if let Some(place) = self.bytes.get_mut(self.used) {
                *place = byte;
                self.used += 1;
            }
        }
    }

    /// Appends a number in decimal.
    fn push_number(&mut self, number: u64) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        self.push(&[b'0' + (number % 10) as u8]);
    }
}

/// The current privilege level: the low two bits of CS (Intel SDM volume 3, "Privilege levels").
fn cpl() -> u64 {
    let cs: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {0:e}, cs", out(reg) cs, options(nomem, nostack, preserves_flags)) };
    cs & 3
}

/// Writes the banner if the environment asks for it.
///
/// # Safety
/// `environment` is null-terminated, as the kernel hands it to a program.
unsafe fn write_if_asked(environment: *const *const c_char) {
    let mut entry = environment;
    // SAFETY: as the caller promises; the loop ends at the null pointer.
    let asked = unsafe {
        loop {
            if (*entry).is_null() {
                break false;
            }
            if CStr::from_ptr(*entry) == c"UKL_BANNER=1" {
                break true;
            }
            entry = entry.add(1);
        }
    };
    if asked {
        let mut line = Line { bytes: [0; LINE_BYTES], used: 0 };
        line.push(b"ukl: level=");
        line.push(level::level().to_bytes());
        line.push(b" cpl=");
        line.push_number(cpl());
        line.push(b" pid=");
        line.push_number(call::getpid());
        line.push(b"\n");
        call::write(call::STDERR, line.bytes.get(..line.used).unwrap_or_default());
    }
}

/// Runs before `main`, as a constructor; the C library has set its `__environ` by then and calls it without arguments.
extern "C" fn constructor() {
    unsafe extern "C" {
        /// The C library's `char **environ`.
        static __environ: *const *const c_char;
    }
    // SAFETY: no thread but this one exists yet, and the list is the kernel's.
    unsafe { write_if_asked(__environ) }
}

/// The linker keeps this object because the link names this symbol (`-u ukl_banner`).
#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".init_array")]
static ukl_banner: extern "C" fn() = constructor;

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn line(write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line { bytes: [0; LINE_BYTES], used: 0 };
        write(&mut line);
        String::from_utf8(line.bytes[..line.used].to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 1203, u64::MAX] {
            assert_eq!(line(|line| line.push_number(number)), number.to_string());
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let long = "0123456789".repeat(9);
        assert_eq!(line(|line| line.push(long.as_bytes())), long[..LINE_BYTES]);
        let full = line(|line| {
            line.push(&long.as_bytes()[..LINE_BYTES - 1]);
            line.push(b"ab");
            line.push_number(7);
        });
        assert_eq!(full, long[..LINE_BYTES - 1].to_owned() + "a");
    }

    /// What this program, which has the constructor too, says on standard error before `main`, and its process ID.
    fn said(setting: Option<&str>) -> (String, u32) {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.arg("--list").env_remove("UKL_BANNER").envs(setting.map(|setting| ("UKL_BANNER", setting)));
        let program = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = program.id();
        let output = program.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stderr).unwrap(), pid)
    }

    #[test]
    fn a_program_says_where_it_runs_if_it_is_asked() {
        let (banner, pid) = said(Some("1"));
        // No entry code has copied the level's name of a program that is not linked into a kernel.
        let level = if cfg!(feature = "process") { "linux" } else { "" };
        assert_eq!(banner, format!("ukl: level={level} cpl=3 pid={pid}\n"));
        assert_eq!(said(Some("11")).0, "");
        assert_eq!(said(None).0, "");
    }
}
