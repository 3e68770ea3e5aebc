//! Tells an observer outside of this program, an emulator that watches every instruction, where the measured part begins
//! and ends.
//!
//! **The invariant:** one page at a fixed address holds nothing but `ret` instructions, one in each 16 bytes. The first
//! is called exactly when the measured part begins, the second exactly when it ends, and nothing else in this program or
//! in its libraries ever executes an address of that page. So the two addresses alone tell the two moments, whatever
//! the program is linked like, and nobody needs its symbols.

use crate::failure::Failure;
use anyhow::{Context, Result};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;

/// Executed when the measured part begins.
pub const MARK_BEGIN: usize = 0x133_7000_0000;
/// Executed when it ends.
pub const MARK_END: usize = MARK_BEGIN + STRIDE_BYTES;

const PAGE_BYTES: usize = 4096;
const STRIDE_BYTES: usize = 16;
/// `ret`, in the encoding without an operand.
#[cfg(target_arch = "x86_64")]
const RET: u8 = 0xc3;

/// The page. At most one exists at a time, because it has one address.
#[derive(Debug)]
pub(crate) struct Mark(());

impl Mark {
    /// Maps the page.
    pub(crate) fn map() -> Result<Self> {
        let page = MARK_BEGIN as *mut c_void;
        // SAFETY: FIXED_NOREPLACE replaces no mapping that exists, so no other memory changes under anybody.
        let mapped = unsafe {
            mmap_anonymous(
                page,
                PAGE_BYTES,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED_NOREPLACE,
            )
        };
        let mapped = mapped.map_err(|error| {
            Failure::new(
                format!("the page for --mark cannot be mapped at {MARK_BEGIN:#x}: {error}"),
                "make one measurement with marks at a time in a process, or leave out --mark",
            )
        })?;
        // From here on the page goes away with this value.
        let mark = Mark(());
        // Kernels before 4.17 take the address as no more than a wish.
        anyhow::ensure!(mapped == page, "the page for --mark was mapped at {mapped:p} instead of {page:p}");
        // SAFETY: the page was mapped above, is writable, has PAGE_BYTES bytes and is known to nobody else.
        let bytes = unsafe { std::slice::from_raw_parts_mut(mapped.cast::<u8>(), PAGE_BYTES) };
        bytes.iter_mut().step_by(STRIDE_BYTES).for_each(|byte| *byte = RET);
        // SAFETY: the page was mapped above, and the slice through which it was written is used no more.
        unsafe { mprotect(mapped, PAGE_BYTES, MprotectFlags::READ | MprotectFlags::EXEC) }
            .context("making the page for --mark executable")?;
        Ok(mark)
    }

    /// The measured part begins.
    pub(crate) fn begin(&self) {
        self.call(MARK_BEGIN);
    }

    /// The measured part has ended.
    pub(crate) fn end(&self) {
        self.call(MARK_END);
    }

    fn call(&self, address: usize) {
        // SAFETY: this value exists, so the page is mapped and executable, and a `ret` lies at both addresses: a complete
        // function of the C calling convention without arguments or result. `extern "C"` keeps the call opaque, so that it
        // is neither left out nor moved.
        let function = unsafe { std::mem::transmute::<*const c_void, extern "C" fn()>(address as *const c_void) };
        function();
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: the page is this value's own, and nothing is called in it once the value is gone. A failure would leave
        // a page behind that nobody calls.
        let _ = unsafe { munmap(MARK_BEGIN as *mut c_void, PAGE_BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, because there is one address.
    #[test]
    fn the_page_has_returns_at_its_addresses_and_is_there_once() {
        let mark = Mark::map().unwrap();
        mark.begin();
        mark.end();
        // SAFETY: the page is mapped and readable while `mark` lives.
        let bytes = unsafe { std::slice::from_raw_parts(MARK_BEGIN as *const u8, PAGE_BYTES) };
        for (at, byte) in bytes.iter().enumerate() {
            assert_eq!(*byte, if at % 16 == 0 { 0xc3 } else { 0 }, "at {at}");
        }
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(maps.contains("13370000000-13370001000 r-xp"), "{maps}");
        assert!(Mark::map().unwrap_err().to_string().contains("0x13370000000"));
        drop(mark);
        Mark::map().unwrap().begin();
    }
}
