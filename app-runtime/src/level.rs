//! Which level the program was linked for.

use core::ffi::{CStr, c_char};

/// The level's name.
#[cfg(feature = "process")]
pub(crate) fn level() -> &'static CStr {
    c"linux"
}

/// The level's name: the copy that [`remember`] made.
#[cfg(not(feature = "process"))]
pub(crate) fn level() -> &'static CStr {
    // SAFETY: written once, before `main`; ends with a zero byte, because the link checks the name's length.
    unsafe { CStr::from_ptr((&raw const LEVEL).cast()) }
}

/// Bytes of a name in the descriptor, the zero byte at its end included.
#[cfg(not(feature = "process"))]
const NAME_BYTES: usize = 32;

/// The name in the application's data. The descriptor itself lies in the kernel half, and an address there is refused by
/// the kernel when the program hands it to a system call, `write` for example.
#[cfg(not(feature = "process"))]
static mut LEVEL: [u8; NAME_BYTES] = [0; NAME_BYTES];

/// What the level consists of: bits of the descriptor that the level link sets (xtask's descriptor.rs).
#[cfg(not(feature = "process"))]
static mut OPTIONS: u32 = 0;

/// Whether system calls are calls of kernel functions.
#[cfg(not(feature = "process"))]
pub(crate) fn bypass() -> bool {
    // SAFETY: written once, before `main`.
    unsafe { OPTIONS & 2 != 0 }
}

/// Whether calls on TCP sockets go straight to TCP.
#[cfg(not(feature = "process"))]
pub(crate) fn shortcut() -> bool {
    // SAFETY: written once, before `main`.
    unsafe { OPTIONS & 4 != 0 }
}

/// Copies the name and the options out of the descriptor that the level link adds.
///
/// # Safety
/// Called once, while there is one thread.
#[cfg(not(feature = "process"))]
pub(crate) unsafe fn remember() {
    /// Mirrors the kernel's `struct ukl_app`.
    #[repr(C)]
    struct Descriptor {
        _magic: u64,
        _entry: u64,
        _phdr: u64,
        _phnum: u32,
        options: u32,
        _name: [u8; NAME_BYTES],
        level: [u8; NAME_BYTES],
    }
    unsafe extern "C" {
        static __ukl_descriptor: Descriptor;
    }
    // SAFETY: the link defines the symbol with this layout, app mode may read it at CPL 0, and nobody reads either yet.
    unsafe {
        LEVEL = __ukl_descriptor.level;
        OPTIONS = __ukl_descriptor.options;
    }
}

/// `ukl_level` of `<ukl.h>`.
#[unsafe(no_mangle)]
extern "C" fn ukl_level() -> *const c_char {
    level().as_ptr()
}

#[cfg(all(test, not(feature = "process")))]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// The state of the program, which the tests share: the level and the chosen paths. A test that uses it holds this.
    pub(crate) struct Program(#[expect(dead_code, reason = "held, not looked at")] MutexGuard<'static, ()>);

    impl Program {
        pub(crate) fn lock() -> Self {
            static ALONE: Mutex<()> = Mutex::new(());
            Program(ALONE.lock().unwrap_or_else(PoisonError::into_inner))
        }

        /// Makes it a program of a level with these options.
        pub(crate) fn set_options(&mut self, options: u32) {
            // SAFETY: what reads or writes it has the lock.
            unsafe { OPTIONS = options };
        }
    }

    #[test]
    fn name_and_options_are_those_of_the_descriptor() {
        let mut program = Program::lock();
        program.set_options(4);
        assert!(!bypass() && shortcut());
        // SAFETY: the descriptor is standin.rs's, and the lock keeps the other tests away.
        unsafe { remember() };
        assert_eq!(level(), c"byb");
        assert!(bypass() && !shortcut());
    }
}
