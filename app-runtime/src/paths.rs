//! Which path a system call takes, as far as it can be chosen while the program runs.
//!
//! A level decides how calls are bound. Below that the program may go back, call by call: the kernel's direct entries look
//! at two bitmaps in the program's memory once the kernel has been told so (`arch_prctl(ARCH_UKL_CHOOSE)`), and at nothing
//! before that, so that a program that never chooses pays nothing. `UKL_PATHS=read=full,write=direct` or `all=full` in the
//! environment chooses at start.

use crate::call;
use core::ffi::{CStr, c_char, c_int};
use kernel::{choose, chosen, exists, numbers};

/// Numbers the bitmaps have room for.
const NUMBERS: u32 = 512;
/// Exit status for a `UKL_PATHS` that makes no sense, as shells use it for wrong usage.
const USAGE: u64 = 2;

/// How a call is made. The numbers are those of `<ukl.h>`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    /// Through the kernel's entry code.
    Full,
    /// By a call of the kernel's function.
    Direct,
    /// By the level's shortcut, where there is one for the call.
    Shortcut,
}

/// What only a linked-in program has.
#[cfg(not(feature = "process"))]
mod kernel {
    use super::{NUMBERS, Path};
    use crate::{call, level};
    use core::sync::atomic::{AtomicU64, Ordering};

    /// The kernel patch's number of the request.
    const ARCH_UKL_CHOOSE: u64 = 0x6001;

    type Bitmap = [AtomicU64; (NUMBERS / 64) as usize];

    unsafe extern "C" {
        /// A bit for each number that goes the full way.
        static ukl_full_calls: Bitmap;
        /// A bit for each number that goes without a shortcut.
        static ukl_plain_calls: Bitmap;
        /// Names by number, each with a zero byte at its end; a number without a call has an empty one.
        static __ukl_call_names: u8;
        static __ukl_call_names_end: u8;
    }

    fn set(bitmap: &Bitmap, number: u32, on: bool) {
        let Some(word) = bitmap.get((number / 64) as usize) else { return };
        let bit = 1 << (number % 64);
        if on {
            word.fetch_or(bit, Ordering::Relaxed);
        } else {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    fn is_set(bitmap: &Bitmap, number: u32) -> bool {
        let word = bitmap.get((number / 64) as usize);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (number % 64)) != 0)
    }

    /// Whether the level has the path at all.
    pub(crate) fn exists(path: Path) -> bool {
        match path {
            Path::Full => true,
            Path::Direct => level::bypass(),
            Path::Shortcut => level::shortcut(),
        }
    }

    /// Sets the path of one call. The kernel looks at the bitmaps from now on, for the calling thread and those it creates.
    pub(crate) fn choose(number: u32, path: Path) {
        if !level::bypass() {
            return;
        }
        // SAFETY: the kernel's link defines the bitmaps, in this process's memory, and they are only used atomically.
        let (full, plain) = unsafe { (&ukl_full_calls, &ukl_plain_calls) };
        set(full, number, path == Path::Full);
        set(plain, number, path == Path::Direct);
        call::arch_prctl(ARCH_UKL_CHOOSE, 1);
    }

    /// The path of one call.
    pub(crate) fn chosen(number: u32) -> Path {
        // SAFETY: as in `choose`.
        let (full, plain) = unsafe { (&ukl_full_calls, &ukl_plain_calls) };
        if !level::bypass() || is_set(full, number) {
            Path::Full
        } else if !level::shortcut() || is_set(plain, number) {
            Path::Direct
        } else {
            Path::Shortcut
        }
    }

    /// The numbers of the calls with this name; `all` is the name of every one.
    pub(crate) fn numbers(name: &[u8]) -> impl Iterator<Item = u32> {
        let (start, end) = (&raw const __ukl_call_names, &raw const __ukl_call_names_end);
        // SAFETY: the level link defines both symbols around bytes that nobody writes to.
        let names = unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) };
        let calls = (0..NUMBERS).zip(names.split(|byte| *byte == 0)).filter(|(_, call)| !call.is_empty());
        let all = same(name, b"all");
        calls.filter(move |(_, call)| all || same(call, name)).map(|(number, _)| number)
    }

    /// Equality byte by byte: that of slices calls memcmp through a global offset table, which this code model has not.
    fn same(a: &[u8], b: &[u8]) -> bool {
        a.iter().eq(b)
    }
}

/// An ordinary process: one path, and no table of names to check one with.
#[cfg(feature = "process")]
mod kernel {
    use super::Path;

    pub(crate) fn exists(path: Path) -> bool {
        path == Path::Full
    }

    pub(crate) fn choose(_number: u32, _path: Path) {}

    pub(crate) fn chosen(_number: u32) -> Path {
        Path::Full
    }

    pub(crate) fn numbers(_name: &[u8]) -> impl Iterator<Item = u32> {
        core::iter::once(0)
    }
}

/// `ukl_set_path` of `<ukl.h>`.
#[unsafe(no_mangle)]
extern "C" fn ukl_set_path(number: c_int, path: c_int) -> c_int {
    let path = match path {
        0 => Path::Full,
        1 => Path::Direct,
        2 => Path::Shortcut,
        _ => return -1,
    };
    let Ok(number) = u32::try_from(number) else { return -1 };
    if number >= NUMBERS || !exists(path) {
        return -1;
    }
    choose(number, path);
    0
}

/// `ukl_get_path` of `<ukl.h>`.
#[unsafe(no_mangle)]
extern "C" fn ukl_get_path(number: c_int) -> c_int {
    match u32::try_from(number) {
        Ok(number) if number < NUMBERS => chosen(number) as c_int,
        _ => -1,
    }
}

/// Applies one `NAME=PATH` of the environment variable; `all` names every call. The error is what is wrong with it.
fn apply(item: &[u8]) -> Result<(), &'static [u8]> {
    let mut halves = item.splitn(2, |byte| *byte == b'=');
    let (name, path) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let path = match path {
        b"full" => Path::Full,
        b"direct" => Path::Direct,
        b"shortcut" => Path::Shortcut,
        _ => return Err(b"expected CALL=full, CALL=direct or CALL=shortcut"),
    };
    if !exists(path) {
        return Err(b"this level has no such path");
    }
    let mut found = false;
    for number in numbers(name) {
        choose(number, path);
        found = true;
    }
    if found { Ok(()) } else { Err(b"no system call has this name (`all` means every one)") }
}

/// Reads `UKL_PATHS`. A program that was to take other paths must not run on with the usual ones: an error ends it.
///
/// # Safety
/// `environment` is null-terminated, as the kernel hands it to a program.
unsafe fn read(environment: *const *const c_char) {
    let mut entry = environment;
    // SAFETY: as the caller promises; the loop ends at the null pointer.
    let value = unsafe {
        loop {
            if (*entry).is_null() {
                return;
            }
            if let Some(value) = CStr::from_ptr(*entry).to_bytes().strip_prefix(b"UKL_PATHS=") {
                break value;
            }
            entry = entry.add(1);
        }
    };
    for item in value.split(|byte| *byte == b',').filter(|item| !item.is_empty()) {
        if let Err(reason) = apply(item) {
            for part in [b"ukl: UKL_PATHS: `".as_slice(), item, b"`: ", reason, b"\n"] {
                call::write(call::STDERR, part);
            }
            call::exit_group(USAGE);
        }
    }
}

/// Runs before `main`, as a constructor.
extern "C" fn constructor() {
    unsafe extern "C" {
        /// The C library's `char **environ`.
        static __environ: *const *const c_char;
    }
    // SAFETY: no thread but this one exists yet, and the list is the kernel's.
    unsafe { read(__environ) }
}

/// The linker keeps this object because the link names this symbol (`-u ukl_paths`).
#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".init_array")]
static ukl_paths: extern "C" fn() = constructor;

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Runs this program, which has the constructor too, with `UKL_PATHS` set: its exit status and its standard error.
    fn run(setting: &str) -> (Option<i32>, String) {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let output = program.arg("--list").env_remove("UKL_BANNER").env("UKL_PATHS", setting).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    #[test]
    fn a_senseless_setting_ends_the_program_before_main() {
        let usage = "expected CALL=full, CALL=direct or CALL=shortcut";
        assert_eq!(run("read=full,read=sideways"), (Some(2), format!("ukl: UKL_PATHS: `read=sideways`: {usage}\n")));
        assert_eq!(
            run("read=direct"),
            (Some(2), "ukl: UKL_PATHS: `read=direct`: this level has no such path\n".into())
        );
    }

    #[test]
    fn a_setting_that_is_the_usual_way_changes_nothing() {
        assert_eq!(run("all=full"), (Some(0), String::new()));
        assert_eq!(run(""), (Some(0), String::new()));
    }

    #[test]
    fn an_item_without_a_path_is_refused() {
        for item in ["", "read", "read=", "=", "read=Full", "read=full=direct", "read =full ", "full=read"] {
            assert_eq!(
                apply(item.as_bytes()).unwrap_err(),
                b"expected CALL=full, CALL=direct or CALL=shortcut",
                "{item}"
            );
        }
    }

    #[cfg(feature = "process")]
    #[test]
    fn an_ordinary_process_has_one_path() {
        assert_eq!([0, 1, 2, 3, -1].map(|path| ukl_set_path(0, path)), [0, -1, -1, -1, -1]);
        assert_eq!([0, 511, 512, -1].map(|number| ukl_get_path(number)), [0, 0, -1, -1]);
    }
}

/// What needs the kernel's bitmaps and names: those of standin.rs, with 0 for `read`, 1 for `write` and 3 for `close`.
#[cfg(all(test, not(feature = "process")))]
mod linked_tests {
    use super::*;
    use crate::level::tests::Program;
    use core::ptr;

    const FULL: c_int = Path::Full as c_int;
    const DIRECT: c_int = Path::Direct as c_int;
    const SHORTCUT: c_int = Path::Shortcut as c_int;
    /// Bits of the descriptor's options.
    const BYPASS: u32 = 2;
    const SHORTCUTS: u32 = 4;

    /// A program of a level with these options that has chosen the level's best path for every call.
    fn linked(options: u32) -> Program {
        let mut program = Program::lock();
        program.set_options(BYPASS | SHORTCUTS);
        for number in 0..NUMBERS {
            choose(number, Path::Shortcut);
        }
        program.set_options(options);
        program
    }

    /// The paths of the first five calls.
    fn paths() -> [c_int; 5] {
        [0, 1, 2, 3, 4].map(|number| ukl_get_path(number))
    }

    #[test]
    fn a_call_takes_the_path_that_was_set_last() {
        let _program = linked(BYPASS | SHORTCUTS);
        for number in [0, 63, 64, 511] {
            for path in [FULL, DIRECT, SHORTCUT, DIRECT, FULL] {
                assert_eq!(ukl_set_path(number, path), 0);
                assert_eq!(ukl_get_path(number), path, "call {number}");
            }
        }
        assert_eq!(paths(), [FULL, SHORTCUT, SHORTCUT, SHORTCUT, SHORTCUT]);
    }

    #[test]
    fn numbers_and_paths_that_do_not_exist_are_refused() {
        let _program = linked(BYPASS | SHORTCUTS);
        assert_eq!([-1, 512, c_int::MAX, c_int::MIN].map(|number| ukl_set_path(number, FULL)), [-1; 4]);
        assert_eq!([-1, 512, c_int::MAX, c_int::MIN].map(|number| ukl_get_path(number)), [-1; 4]);
        assert_eq!([-1, 3].map(|path| ukl_set_path(0, path)), [-1; 2]);
        assert_eq!(paths(), [SHORTCUT; 5]);
    }

    #[test]
    fn a_level_has_the_paths_of_its_options() {
        for (options, usual, allowed) in
            [(0, FULL, [0, -1, -1]), (BYPASS, DIRECT, [0, 0, -1]), (BYPASS | SHORTCUTS, SHORTCUT, [0; 3])]
        {
            let _program = linked(options);
            assert_eq!(paths(), [usual; 5], "options {options}");
            assert_eq!([FULL, DIRECT, SHORTCUT].map(|path| ukl_set_path(1, path)), allowed, "options {options}");
        }
        let _program = linked(BYPASS);
        assert_eq!(apply(b"read=shortcut").unwrap_err(), b"this level has no such path");
        assert_eq!(paths(), [DIRECT; 5]);
    }

    #[test]
    fn an_item_names_one_call_or_all() {
        let _program = linked(BYPASS | SHORTCUTS);
        assert_eq!(apply(b"write=full"), Ok(()));
        assert_eq!(paths(), [SHORTCUT, FULL, SHORTCUT, SHORTCUT, SHORTCUT]);
        // A number without a name has no call.
        assert_eq!(apply(b"all=direct"), Ok(()));
        assert_eq!(paths(), [DIRECT, DIRECT, SHORTCUT, DIRECT, SHORTCUT]);
    }

    #[test]
    fn an_item_without_a_call_is_refused() {
        let _program = linked(BYPASS | SHORTCUTS);
        for item in ["=full", "reed=full", "rea=full", "readv=full", "READ=full", " read=full"] {
            let reason = apply(item.as_bytes()).unwrap_err();
            assert_eq!(reason, b"no system call has this name (`all` means every one)", "{item}");
        }
        assert_eq!(paths(), [SHORTCUT; 5]);
    }

    #[test]
    fn the_environment_is_read_to_the_first_setting() {
        let _program = linked(BYPASS | SHORTCUTS);
        let others = [c"UKL_PATHSX=read=full".as_ptr(), c"XUKL_PATHS=read=full".as_ptr(), ptr::null()];
        // SAFETY: the list ends with a null pointer.
        unsafe { read(others.as_ptr()) };
        assert_eq!(paths(), [SHORTCUT; 5]);
        let settings = [c"UKL_PATHS=,read=full,,close=direct,".as_ptr(), c"UKL_PATHS=all=full".as_ptr(), ptr::null()];
        // SAFETY: as above.
        unsafe { read(settings.as_ptr()) };
        assert_eq!(paths(), [FULL, SHORTCUT, SHORTCUT, DIRECT, SHORTCUT]);
    }
}
