//! Fuzzes `xtask::parsers::console`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::console(bytes));
