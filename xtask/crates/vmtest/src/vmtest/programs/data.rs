//! Programs with much initialised data, which find all of it as it was written.
//!
//! The decompressor copies a kernel's segments within the memory that it unpacks the kernel to. What it destroys when it
//! copies them in a wrong order depends on how much data an application has (see `image/segments.rs` of `ukl-app`), so the
//! sizes go from the first that has ever been damaged to nearly all that fits an image.

use super::xtask;
use anyhow::{Context, Result, ensure};
use ukl_app::toolchain::{self, Contents};
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::cmd;

/// Of initialised data, one half of it constant.
pub(super) const SIZES_MIB: &[u32] = &[3, 8, 20];

/// Its word number `i` is `i` times this, so no two words are the same.
const FACTOR: u32 = 2_654_435_761;
const WORD_BYTES: u32 = 4;

/// Says how many words of both tables there are and are wrong, and where the first and last of these lie.
const READER: &str = "#include <stdio.h>\n\
    extern const unsigned fixed[], fixed_end[];\nextern unsigned data[], data_end[];\n\
    static unsigned long count, wrong, first, last;\n\
    static void look(const unsigned *at, const unsigned *end) {\n\
    for (; at < end; at++, count++) if (*at != (unsigned)(count * FACTORul)) {\n\
    last = (unsigned long)at; if (!wrong++) first = last; } }\n\
    int main(void) {\n look(fixed, fixed_end); look(data, data_end);\n\
    if (wrong) printf(\"%lu words, wrong %lu, from %#lx to %#lx\", count, wrong, first, last);\n\
    else printf(\"%lu words, wrong 0\", count);\n return wrong != 0; }\n";

/// Takes the first half of `table` as constants, the second as data.
const TABLE: &str = "\t.section .note.GNU-stack, \"\", @progbits\n\
    \t.section .rodata\n\t.globl fixed, fixed_end\n\t.balign 4\n\
    fixed:\n\t.incbin \"table\", 0, HALF\nfixed_end:\n\
    \t.data\n\t.globl data, data_end\n\t.balign 4\n\
    data:\n\t.incbin \"table\", HALF\ndata_end:\n";

pub(super) fn name(size_mib: u32) -> String {
    format!("{size_mib}-mib-of-data")
}

pub(super) fn names() -> Vec<String> {
    SIZES_MIB.iter().copied().map(name).collect()
}

/// Links a program with so much initialised data and runs it at a level.
pub(super) fn test(ctx: &Ctx, level: &str, size_mib: u32) -> Result<String> {
    let place = toolchain::folder(ctx, &toolchain::toolchain(ctx)?, Contents::default())?;
    let scratch = ctx.cache.scratch()?;
    let bytes = size_mib << 20;
    let half = (bytes / 2).to_string();
    let files = [
        ("main.c", READER.replace("FACTOR", &FACTOR.to_string()).into_bytes()),
        ("table.s", TABLE.replace("HALF", &half).into_bytes()),
        ("table", table(bytes / WORD_BYTES)),
    ];
    for (name, content) in files {
        std::fs::write(scratch.path().join(name), content).with_context(|| format!("writing {name}"))?;
    }
    let sh = process::shell_in(scratch.path())?;
    process::run_on_stderr(cmd!(sh, "ukl-cc -O1 main.c table.s -o large").envs(toolchain::environment(&place)))?;
    let (status, output) = xtask(&["./large", "--level", level], scratch.path())?;
    let expected = format!("{} words, wrong 0", bytes / WORD_BYTES);
    ensure!(
        output == expected && status == Some(0),
        "the program ended with {status:?} and found {output:?}; {expected:?} was expected"
    );
    Ok(format!("what a program finds in {size_mib} MiB of its initialised data with {expected:?}"))
}

/// So many words, each another one.
fn table(words: u32) -> Vec<u8> {
    (0..words).flat_map(|word| word.wrapping_mul(FACTOR).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_differs() {
        assert_eq!(table(3), [[0; 4], FACTOR.to_le_bytes(), FACTOR.wrapping_mul(2).to_le_bytes()].concat());
        let bytes = table(1 << 16);
        let mut words: Vec<_> = bytes.chunks(WORD_BYTES as usize).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 1 << 16);
    }
}
