//! Fuzzes `xtask::parsers::elf`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::elf(bytes));
