//! Fuzzes `xtask::parsers::frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::frames(bytes));
