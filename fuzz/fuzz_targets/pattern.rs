//! Fuzzes `su`.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| logweir_fuzz::fuzz_pattern(line));
