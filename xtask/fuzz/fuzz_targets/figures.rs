//! Fuzzes `xtask::parsers::figures`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::figures(bytes));
