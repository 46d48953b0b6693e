//! Fuzzes `cron`.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| logweir_fuzz::fuzz(logweir_parsers::Format::Cron, line));
