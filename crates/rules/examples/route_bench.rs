//! Routing at scale: seconds and peak memory, for `cargo xtask bench`.
//!
//! `cargo run --release -p airlift-rules --example route_bench [ITEMS [PREFIXES [TEMPLATE_ITEMS]]]`
//! routes a million items against ten thousand prefixes, then a hundred thousand items through
//! templates, and prints one JSON object a line.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io;
use std::time::Instant;

use airlift_oci::types::{Descriptor, Digest, media};
use airlift_rules::{Origin, Routable, Routing, Ruleset};

/// An item as small as it can be, so that what is measured is the routing.
struct Item {
    source: String,
    descriptor: Descriptor,
}

impl Routable for Item {
    fn origin(&self) -> Origin<'_> {
        Origin { source: &self.source, descriptor: &self.descriptor, source_index: None }
    }
}

const GO: &str = r#"{{- $name := index .Annotations "vnd.act3-ace.manifest.source" -}}
secret.reg.example.com/{{ trimPrefix "reg.example.com/" $name }}
{{ if hasPrefix "registry-1" $name }}high.example.com/{{ Repository $name }}:{{ Tag $name }}{{ end }}
"#;

const TERA: &str = r#"secret.reg.example.com/{{ source }}
{% if source is starting_with(pat="registry-1") %}high.example.com/{{ repository() }}:{{ tag() }}{% endif %}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut counts = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mut next = |default| counts.next().unwrap_or(Ok(default));
    let (count, prefixes, templated) = (next(1_000_000)?, next(10_000)?, next(100_000)?);
    let items = items(count, prefixes);
    for kind in ["longest-prefix", "first-prefix", "all-prefix"] {
        measure(kind, &table(prefixes), &items)?;
    }
    let items = &items[..templated.min(items.len())];
    for (kind, text) in [("go-template", GO), ("template", TERA)] {
        if airlift_rules::KINDS.iter().any(|(known, _)| *known == kind) {
            measure(kind, text, items)?;
        }
    }
    Ok(())
}

/// Sources of a hundred registries, each with projects that a prefix names.
fn items(count: usize, prefixes: usize) -> Vec<Item> {
    let digest = Digest::of(b"");
    let item = |at: usize| {
        let project = at % prefixes.max(1);
        let source = format!(
            "registry-{}.example.com/project-{project}/team/app-{at}:v1.{}",
            project % 100,
            at % 17
        );
        let mut descriptor = Descriptor::new(media::OCI_MANIFEST, digest.clone(), 500);
        descriptor.annotations.insert(media::SOURCE.to_owned(), source.clone());
        Item { source, descriptor }
    };
    let mut items: Vec<Item> = (0..count).map(item).collect();
    // As a gathered index has them.
    items.sort_by(|a, b| a.source.cmp(&b.source));
    items
}

fn table(prefixes: usize) -> String {
    let line = |at: usize| {
        let host = at % 100;
        format!("registry-{host}.example.com/project-{at}/,high.example.com/p{at}/\n")
    };
    (0..prefixes).map(line).collect()
}

fn measure(kind: &str, text: &str, items: &[Item]) -> Result<(), Box<dyn Error>> {
    let read = |_: &str| -> io::Result<String> { Ok(text.to_owned()) };
    reset_peak();
    let before = memory("VmRSS:")?;
    let cpu = cpu_seconds();
    let start = Instant::now();
    let rules = Ruleset::parse(&format!("{kind}=bench"), &read)?;
    let routing = Routing::plan(&rules, items);
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu;
    routing.check()?;
    let mib = memory("VmHWM:")?.saturating_sub(before) / 1024;
    println!(
        "{{\"kind\":\"{kind}\",\"items\":{},\"routes\":{},\"seconds\":{seconds:.3},\"cpu_seconds\":{cpu:.3},\"peak_mib_beyond_items\":{mib}}}",
        items.len(),
        routing.len()
    );
    Ok(())
}

/// Time this thread has run on a processor, which a busy machine does not lengthen; 0 elsewhere
/// than on Linux.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Linux forgets the peak so far; where it does not, the peak includes what came before.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// A line of the process's status, in KiB; 0 where there is none.
fn memory(name: &str) -> io::Result<u64> {
    let status = match std::fs::read_to_string("/proc/self/status") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        status => status?,
    };
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.and_then(|number| number.parse().ok()).unwrap_or(0))
}
