//! `cargo +nightly fuzz run templates -- -max_total_time=600`, in `crates/rules`.

#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code)]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::templates(text));
