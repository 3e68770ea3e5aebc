//! Fuzzes `xtask::parsers::listings`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::listings(bytes));
