//! The record by which the kernel finds an application: `struct ukl_app` of the kernel patches.

use anyhow::{Result, ensure};
use ukl_repo::config::{Level, LevelOptions};

/// Bytes of a name, the zero byte at its end included.
const NAME_BYTES: usize = 32;
/// "UKAPP000" in memory order.
const MAGIC: u64 = 0x3030_3050_5041_4b55;
/// Entries of the runtime's program-header table (app-runtime/src/phdr.rs).
const PHDR_COUNT: u64 = 4;

/// `UKL_OPTION_RET`: the task may return from faults and interrupts without IRETQ.
const OPTION_RET: u32 = 1;
/// For the runtime (app-runtime/src/level.rs): how its calls are bound.
const OPTION_BYPASS: u32 = 2;
const OPTION_SHORTCUT: u32 = 4;

/// The global symbol of an application's descriptor. Application names may have dashes, symbols may not.
pub(super) fn symbol(app: &str) -> String {
    format!("ukl_app_{}", app.replace('-', "_"))
}

/// Assembly text of the descriptor: 96 bytes, aligned to 8, in a section of its own in the kernel half.
pub(super) fn assembly(app: &str, level: &Level) -> Result<String> {
    let name = |text: &str| -> Result<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        ensure!(
            text.len() < NAME_BYTES && !text.is_empty() && text.chars().all(plain),
            "`{text}` cannot be a name in an image: 1 to 31 of a-z, 0-9, `-` and `_` were expected"
        );
        Ok(format!("\t.ascii \"{text}\"\n\t.zero {}\n", NAME_BYTES - text.len()))
    };
    let symbol = symbol(app);
    let LevelOptions { bypass, ret, shortcut } = level.options;
    let options: u32 = [(ret, OPTION_RET), (bypass, OPTION_BYPASS), (shortcut, OPTION_SHORTCUT)]
        .into_iter()
        .map(|(on, bit)| if on { bit } else { 0 })
        .sum();
    Ok(format!(
        "\t.section .ukl.app, \"a\", @progbits\n\t.balign 8\n\t.globl {symbol}, __ukl_descriptor\n\
         \t.type {symbol}, @object\n{symbol}:\n__ukl_descriptor:\n\
         \t.quad {MAGIC:#x}\n\t.quad _ukl_start\n\t.quad __ukl_phdr\n\t.long {PHDR_COUNT}, {options}\n{}{}\
         \t.size {symbol}, . - {symbol}\n\t.section .note.GNU-stack, \"\", @progbits\n",
        name(app)?,
        name(&level.name)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_repo::config::KernelFlavour;

    fn level(name: &str) -> Level {
        let options = LevelOptions { ret: true, ..LevelOptions::default() };
        Level { name: name.to_owned(), summary: String::new(), kernel: KernelFlavour::Ukl, options }
    }

    #[test]
    fn a_descriptor_has_96_bytes() {
        insta::assert_snapshot!(assembly("my-app", &level("ret")).unwrap());
        assert_eq!(&MAGIC.to_le_bytes(), b"UKAPP000");
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        assert!(assembly(&"x".repeat(32), &level("byb")).is_err());
        assert!(assembly("redis", &level("")).is_err());
        assert!(assembly("re\"dis", &level("byb")).is_err());
    }
}
