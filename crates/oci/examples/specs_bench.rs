//! How long the checking of copy specs takes, and how much memory:
//! `cargo run --release -p airlift-oci --example specs_bench -- 1000000`

#![allow(clippy::print_stdout, reason = "its result is what it prints")]

use std::fmt::Write as _;
use std::io::Read;
use std::time::Instant;

use airlift_oci::mirror::copy::read_specs;

/// Specs, made as they are read: the input itself takes no memory.
struct Generator {
    next: u64,
    count: u64,
    text: String,
    at: usize,
}

impl Read for Generator {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.text.len() {
            if self.next == self.count {
                return Ok(0);
            }
            let number = self.next;
            self.next += 1;
            self.at = 0;
            self.text.clear();
            // Writing to a string cannot fail.
            let _ = write!(
                self.text,
                r#"{{"src":"quay.io/team-{}/image-{number}:v1.{}","dst":"registry.example.com:5000/mirror/team/image-{number}:v1","transform":{{"limitPlatforms":["linux/amd64","linux/arm64"]}}}}"#,
                number % 100,
                number % 7
            );
        }
        let count = buffer.len().min(self.text.len() - self.at);
        buffer[..count].copy_from_slice(&self.text.as_bytes()[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let start = Instant::now();
    let input = Generator { next: 0, count, text: String::new(), at: 0 };
    match read_specs("generated", input) {
        Ok(specs) => println!("{} specs in {:.2} s", specs.len(), start.elapsed().as_secs_f64()),
        Err(error) => println!("{error}"),
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
        println!("{line}");
    }
}
