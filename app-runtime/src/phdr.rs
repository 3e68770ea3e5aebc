//! The program headers an ELF file would have had. The C library finds the thread-local storage image through them, and
//! unwinders (through `dl_iterate_phdr`) which text the frame descriptions are of and where they lie.
//!
//! The kernel passes the table's address as `AT_PHDR`. Most entries are filled in at run time, because their values are
//! symbols of the kernel's link, which place the sections, and KASLR moves the text.

/// Types of the ELF specification and its GNU extension.
const PT_LOAD: u32 = 1;
const PT_TLS: u32 = 7;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PT_GNU_STACK: u32 = 0x6474_e551;
/// `PF_X`, `PF_R` and `PF_W`.
const EXECUTE: u32 = 1;
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
static mut __ukl_phdr: [Phdr; PHDR_COUNT] = [
    Phdr::new(PT_TLS, READ),
    Phdr::new(PT_GNU_STACK, READ | WRITE),
    Phdr::new(PT_LOAD, READ | EXECUTE),
    Phdr::new(PT_GNU_EH_FRAME, READ),
];

/// Entries of the table; descriptor.rs in xtask writes the same number.
const PHDR_COUNT: usize = 4;

/// `.eh_frame_hdr` of the Linux Standard Base, "DWARF Extensions": where the frame descriptions are. Without the sorted table
/// that may follow an unwinder reads the descriptions one after the other.
#[repr(C, packed)]
struct FrameHeader {
    version: u8,
    start_encoding: u8,
    count_encoding: u8,
    table_encoding: u8,
    start: u64,
}

/// `DW_EH_PE_absptr`: an address of 8 bytes, and `DW_EH_PE_omit`: not there.
const ADDRESS: u8 = 0;
const OMITTED: u8 = 0xff;

static mut FRAMES: FrameHeader =
    FrameHeader { version: 1, start_encoding: ADDRESS, count_encoding: OMITTED, table_encoding: OMITTED, start: 0 };

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
    /// First byte of the text and the byte after it.
    static __ukl_text_start: u8;
    static __ukl_text_end: u8;
    /// The frame descriptions, which end with a length of zero: app.lds.
    static __ukl_eh_frame: u8;
}

/// Fills in what the kernel's link decided.
///
/// # Safety
/// Called once, before anything reads the table, while there is one thread.
pub(crate) unsafe fn fill() {
    let start = (&raw const __ukl_tls_start).addr() as u64;
    // SAFETY: nobody else has a reference to the table yet, as the caller promises.
    unsafe {
        let tls = &raw mut __ukl_phdr[0];
        (*tls).vaddr = start;
        (*tls).paddr = start;
        (*tls).file_bytes = (&raw const __ukl_tdata_end).addr() as u64 - start;
        (*tls).memory_bytes = (&raw const __ukl_tls_end).addr() as u64 - start;
        (*tls).align = ((&raw const __ukl_tls_align).addr() as u64).max(1);
        let text = &raw mut __ukl_phdr[2];
        let (start, end) = ((&raw const __ukl_text_start).addr() as u64, (&raw const __ukl_text_end).addr() as u64);
        (*text).vaddr = start;
        (*text).paddr = start;
        (*text).file_bytes = end - start;
        (*text).memory_bytes = end - start;
        FRAMES.start = (&raw const __ukl_eh_frame).addr() as u64;
        let frames = &raw mut __ukl_phdr[3];
        (*frames).vaddr = (&raw const FRAMES).addr() as u64;
        (*frames).paddr = (*frames).vaddr;
        (*frames).file_bytes = size_of::<FrameHeader>() as u64;
        (*frames).memory_bytes = size_of::<FrameHeader>() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, flags, address in both kinds of memory, bytes in the file and in memory.
    fn parts(header: &Phdr) -> (u32, u32, [u64; 2], [u64; 2]) {
        (header.kind, header.flags, [header.vaddr, header.paddr], [header.file_bytes, header.memory_bytes])
    }

    #[test]
    fn the_table_says_where_the_link_put_things() {
        // SAFETY: this test alone uses the table.
        let table = unsafe {
            fill();
            __ukl_phdr
        };
        let [tls, stack, text, frames] = &table;
        let address = |symbol: *const u8| [symbol.addr() as u64; 2];
        assert_eq!(parts(tls), (PT_TLS, READ, address(&raw const __ukl_tls_start), [24, 40]));
        assert_eq!(tls.align, 64);
        assert_eq!(parts(stack), (PT_GNU_STACK, READ | WRITE, [0; 2], [0; 2]));
        let (start, end) = (address(&raw const __ukl_text_start), address(&raw const __ukl_text_end));
        assert_eq!(parts(text), (PT_LOAD, READ | EXECUTE, start, [end[0] - start[0]; 2]));
        assert_eq!(parts(frames), (PT_GNU_EH_FRAME, READ, address((&raw const FRAMES).cast()), [12; 2]));
        // SAFETY: the bytes of a static variable without padding.
        let header: [u8; 12] = unsafe { (&raw const FRAMES).cast::<[u8; 12]>().read() };
        assert_eq!(header[..4], [1, ADDRESS, OMITTED, OMITTED]);
        assert_eq!(header[4..], address(&raw const __ukl_eh_frame)[0].to_ne_bytes());
    }
}
