//! Fuzzes `xtask::parsers::scripts`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::scripts(bytes));
