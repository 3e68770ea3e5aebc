//! Fuzzes `xtask::parsers::toml`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xtask::parsers::toml(bytes));
