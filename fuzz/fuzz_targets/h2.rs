#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wstap::fuzzing::h2(data));
