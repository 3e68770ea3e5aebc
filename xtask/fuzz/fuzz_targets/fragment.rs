//! Fuzzes `xtask::parsers::fragment`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::fragment(bytes));
