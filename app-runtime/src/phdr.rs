//! The program headers an ELF file would have had. The C library finds the thread-local storage image through them.
//!
//! The kernel passes the table's address as `AT_PHDR`. The TLS entry is filled in at run time, because its values are
//! symbols of the kernel's link, which place the sections.

/// `PT_TLS` and `PT_GNU_STACK` of the ELF specification and its GNU extension.
const PT_TLS: u32 = 7;
const PT_GNU_STACK: u32 = 0x6474_e551;
/// `PF_R` and `PF_W`.
const READ: u32 = 4;
const WRITE: u32 = 2;

/// `Elf64_Phdr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Phdr {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    paddr: u64,
    file_bytes: u64,
    memory_bytes: u64,
    align: u64,
}

impl Phdr {
    const fn new(kind: u32, flags: u32) -> Self {
        Phdr { kind, flags, offset: 0, vaddr: 0, paddr: 0, file_bytes: 0, memory_bytes: 0, align: 1 }
    }
}

/// The table, in the application's data. The level link puts its address and [`PHDR_COUNT`] into the descriptor.
#[unsafe(no_mangle)]
static mut __ukl_phdr: [Phdr; PHDR_COUNT] = [Phdr::new(PT_TLS, READ), Phdr::new(PT_GNU_STACK, READ | WRITE)];

/// Entries of the table; link.rs in xtask writes the same number.
const PHDR_COUNT: usize = 2;

unsafe extern "C" {
    /// First byte of the initialised part of the TLS image.
    static __ukl_tls_start: u8;
    /// End of the initialised part.
    static __ukl_tdata_end: u8;
    /// End of the image, the zero part included.
    static __ukl_tls_end: u8;
    /// Its *address* is the alignment the linker gave the image, in bytes. The C library must use the same one: offsets
    /// from the thread pointer were computed with it.
    static __ukl_tls_align: u8;
}

/// Fills in the TLS entry.
///
/// # Safety
/// Called once, before anything reads the table, while there is one thread.
pub unsafe fn fill() {
    let start = (&raw const __ukl_tls_start).addr() as u64;
    // SAFETY: nobody else has a reference to the table yet, as the caller promises.
    unsafe {
        let tls = &raw mut __ukl_phdr[0];
        (*tls).vaddr = start;
        (*tls).paddr = start;
        (*tls).file_bytes = (&raw const __ukl_tdata_end).addr() as u64 - start;
        (*tls).memory_bytes = (&raw const __ukl_tls_end).addr() as u64 - start;
        (*tls).align = ((&raw const __ukl_tls_align).addr() as u64).max(1);
    }
}
