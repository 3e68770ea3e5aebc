//! Fuzzes `xtask::parsers::protocols`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::protocols(bytes));
