//! The order of a kernel's segments, on which its decompressor relies.
//!
//! `parse_elf()` of arch/x86/boot/compressed/misc.c copies one segment after the other, in the order of the program headers,
//! from the unpacked file to where it belongs, and both are the same memory: a segment that comes down over one that has not
//! been copied yet destroys it, and nothing says so.

use anyhow::{Context, Result};
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, pod};
use std::path::Path;
use ukl_host::failure::Failure;

/// A segment that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// Where its bytes lie in the file.
    offset: u64,
    /// How many of them there are.
    size: u64,
    /// The physical address that they are linked for.
    address: u64,
}

/// Fails unless the decompressor's copying leaves every segment of this kernel whole.
pub(super) fn check(vmlinux: &Path) -> Result<()> {
    let bytes = fs_err::read(vmlinux)?;
    let segments = read(&bytes).with_context(|| format!("reading the program headers of {}", vmlinux.display()))?;
    in_order(&segments).map_err(|reason| {
        Failure::new(
            format!("the decompressor would destroy part of {}: {reason}", vmlinux.display()),
            "name PT_LOAD headers in PHDRS of arch/x86/kernel/vmlinux.lds.S in the order in which SECTIONS fills them",
        )
    })
}

fn read(bytes: &[u8]) -> Result<Vec<Segment>> {
    let (header, _) = pod::from_bytes::<FileHeader64<Endianness>>(bytes)
        .map_err(|()| anyhow::anyhow!("{} bytes are no ELF file", bytes.len()))?;
    let endian = header.endian()?;
    let loaded = header.program_headers(endian, bytes)?.iter().filter(|header| header.p_type(endian) == PT_LOAD);
    Ok(loaded
        .map(|header| Segment {
            offset: header.p_offset(endian),
            size: header.p_filesz(endian),
            address: header.p_paddr(endian),
        })
        .collect())
}

/// Whether each segment is copied downwards and after those that lie before it in the file; the error says which is not. The
/// first one's address is that at which the file is unpacked.
fn in_order(segments: &[Segment]) -> Result<(), String> {
    let Some(first) = segments.first() else { return Err("it has no segment to load".to_owned()) };
    let mut end = 0;
    for (number, segment) in segments.iter().enumerate() {
        let Segment { offset, size, address } = *segment;
        if offset < end {
            return Err(format!(
                "segment {number} begins at {offset:#x} of the file, before {end:#x}, where the one named before it ends"
            ));
        }
        if address.checked_sub(first.address).is_none_or(|down| down > offset) {
            return Err(format!(
                "segment {number} at {offset:#x} of the file goes to {address:#x}, up from where it is unpacked"
            ));
        }
        end = offset + size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn segment(offset: u64, size: u64, address: u64) -> Segment {
        Segment { offset, size, address }
    }

    /// Text, data, an application and the per-CPU area, as a kernel has them.
    const KERNEL: [Segment; 4] = [
        segment(0x20_0000, 0x80_0000, 0x100_0000),
        segment(0xc0_0000, 0x20_0000, 0x1a0_0000),
        segment(0x100_0000, 0x2c_2db0, 0x1c0_0000),
        segment(0x160_0000, 0x2_db98, 0x1ed_0000),
    ];

    #[test]
    fn segments_in_the_order_of_the_file_are_whole() {
        in_order(&KERNEL).unwrap();
    }

    #[test]
    fn a_header_before_that_of_earlier_bytes_is_named() {
        let [text, data, application, percpu] = KERNEL;
        let reason = in_order(&[text, data, percpu, application]).unwrap_err();
        assert!(reason.starts_with("segment 3 begins at 0x1000000 of the file, before 0x162db98"), "{reason}");
    }

    #[test]
    fn segments_that_share_bytes_are_named() {
        let [text, data, ..] = KERNEL;
        let reason = in_order(&[text, segment(data.offset - 0x1000 - 0x20_0000, data.size, data.address)]).unwrap_err();
        assert!(reason.contains("before 0xa00000"), "{reason}");
    }

    #[test]
    fn a_segment_that_would_go_up_is_named() {
        let reason = in_order(&[KERNEL[0], segment(0xc0_0000, 16, 0x1d0_0000)]).unwrap_err();
        assert!(reason.contains("goes to 0x1d00000, up"), "{reason}");
        assert!(in_order(&[KERNEL[0], segment(0xc0_0000, 16, 0xf0_0000)]).is_err());
        assert!(in_order(&[]).is_err());
    }

    #[test]
    fn headers_are_read_from_a_file() {
        let mut file = vec![0; 64 + 2 * 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[6] = 1;
        let mut put = |at: usize, value: u64, bytes: usize| {
            file[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        };
        // e_phoff, e_ehsize, e_phentsize, e_phnum; then a PT_LOAD and a PT_TLS.
        let fields = [(32, 64, 8), (52, 64, 2), (54, 56, 2), (56, 2, 2)];
        let load = [(64, 1, 4), (72, 0x1000, 8), (88, 0x100_0000, 8), (96, 0x234, 8)];
        for (at, value, bytes) in [&fields[..], &load[..], &[(120, 7, 4)]].concat() {
            put(at, value, bytes);
        }
        assert_eq!(read(&file).unwrap(), [segment(0x1000, 0x234, 0x100_0000)]);
        assert!(read(&file[..10]).is_err());
    }
}
