//! Counts for Prometheus. Labels come from settings and fixed lists only, so their number is bounded.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets of latency, in seconds.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// What is counted over all registries.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    backends: Mutex<BTreeMap<String, Arc<BackendMetrics>>>,
    warming: [AtomicU64; 3],
    pub(super) waiting: AtomicU64,
}

/// What is counted of one registry.
#[derive(Debug, Default)]
pub(super) struct BackendMetrics {
    said: [AtomicU64; 5],
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
    bytes: AtomicU64,
    pushed: AtomicU64,
    redirects: AtomicU64,
    relays: AtomicU64,
}

/// What a registry said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    /// Something to go on with.
    Answer,
    /// That it has it not.
    Missing,
    /// That we may not.
    Refused,
    /// Nothing, or that it is in trouble.
    Outage,
    /// It was not asked.
    Skipped,
}

/// What became of an image that was to be copied.
#[derive(Debug, Clone, Copy)]
pub(super) enum Warmed {
    /// It is there.
    Done,
    /// It could not be copied.
    Failed,
    /// There was no room for it to wait.
    Dropped,
}

const SAID: [&str; 5] = ["answer", "missing", "refused", "outage", "skipped"];
const WARMED: [&str; 3] = ["done", "failed", "dropped"];

impl Metrics {
    /// Counts an answer to a client.
    pub(super) fn request(&self, endpoint: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((endpoint, status)).or_default() += 1;
    }

    pub(super) fn warmed(&self, warmed: Warmed) {
        self.warming[warmed as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts of a registry, which outlive a change of its settings.
    pub(super) fn backend(&self, name: &str) -> Arc<BackendMetrics> {
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        backends.entry(name.to_owned()).or_default().clone()
    }

    /// Everything as text; `up` says for each registry whether it is asked at present.
    pub(super) fn text(&self, up: &[(&str, bool)]) -> String {
        let mut page = Page(String::new());
        page.head("airlift_proxy_requests_total", "counter", "Answers to clients.");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((endpoint, status), count) in requests {
            let labels = format!("endpoint=\"{endpoint}\",status=\"{status}\"");
            page.line("airlift_proxy_requests_total", &labels, count);
        }
        let backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner).clone();
        page.backends(&backends);
        page.head("airlift_proxy_registry_up", "gauge", "0 while a registry is left alone.");
        for (name, up) in up {
            let labels = format!("registry=\"{name}\"");
            page.line("airlift_proxy_registry_up", &labels, u64::from(*up));
        }
        page.head("airlift_proxy_warming_total", "counter", "Images copied in the background.");
        for (name, count) in WARMED.iter().zip(&self.warming) {
            let labels = format!("result=\"{name}\"");
            page.line("airlift_proxy_warming_total", &labels, count.load(Ordering::Relaxed));
        }
        page.head("airlift_proxy_warming_waiting", "gauge", "Images waiting to be copied.");
        let waiting = self.waiting.load(Ordering::Relaxed);
        let _ = writeln!(page.0, "airlift_proxy_warming_waiting {waiting}");
        page.0
    }
}

impl BackendMetrics {
    pub(super) fn said(&self, said: Said) {
        self.said[said as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn took(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            if seconds <= bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Bytes that came from it through the proxy.
    pub(super) fn bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes that went to it.
    pub(super) fn pushed(&self, bytes: usize) {
        self.pushed.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A client was sent on.
    pub(super) fn redirect(&self) {
        self.redirects.fetch_add(1, Ordering::Relaxed);
    }

    /// A blob went through the proxy.
    pub(super) fn relay(&self) {
        self.relays.fetch_add(1, Ordering::Relaxed);
    }
}

/// The text exposition format.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }

    fn backends(&mut self, backends: &BTreeMap<String, Arc<BackendMetrics>>) {
        let name = "airlift_proxy_registry_answers_total";
        self.head(name, "counter", "What registries said.");
        for (registry, metrics) in backends {
            for (said, count) in SAID.iter().zip(&metrics.said) {
                let labels = format!("registry=\"{registry}\",answer=\"{said}\"");
                self.line(name, &labels, count.load(Ordering::Relaxed));
            }
        }
        self.latency(backends);
        type Read = fn(&BackendMetrics) -> &AtomicU64;
        let counters: [(&str, &str, Read); 4] = [
            ("bytes_total", "Bytes from a registry through the proxy.", |m| &m.bytes),
            ("pushed_bytes_total", "Bytes to a registry through the proxy.", |m| &m.pushed),
            ("redirects_total", "Blobs that clients were sent on for.", |m| &m.redirects),
            ("relays_total", "Blobs that went through the proxy.", |m| &m.relays),
        ];
        for (name, help, read) in counters {
            let name = format!("airlift_proxy_registry_{name}");
            self.head(&name, "counter", help);
            for (registry, metrics) in backends {
                let labels = format!("registry=\"{registry}\"");
                self.line(&name, &labels, read(metrics).load(Ordering::Relaxed));
            }
        }
    }

    fn latency(&mut self, backends: &BTreeMap<String, Arc<BackendMetrics>>) {
        let name = "airlift_proxy_registry_seconds";
        self.head(name, "histogram", "Time until a registry had answered.");
        for (registry, metrics) in backends {
            for (bucket, bound) in metrics.buckets.iter().zip(BUCKETS) {
                let labels = format!("registry=\"{registry}\",le=\"{bound}\"");
                self.line(&format!("{name}_bucket"), &labels, bucket.load(Ordering::Relaxed));
            }
            let count = metrics.count.load(Ordering::Relaxed);
            let labels = format!("registry=\"{registry}\",le=\"+Inf\"");
            self.line(&format!("{name}_bucket"), &labels, count);
            let seconds = Duration::from_micros(metrics.micros.load(Ordering::Relaxed));
            let _ =
                writeln!(self.0, "{name}_sum{{registry=\"{registry}\"}} {}", seconds.as_secs_f64());
            self.line(&format!("{name}_count"), &format!("registry=\"{registry}\""), count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_type_for_every_sample_and_cumulative_buckets() {
        let metrics = Metrics::default();
        metrics.request("manifest", 200);
        let hot = metrics.backend("hot");
        hot.said(Said::Missing);
        hot.took(Duration::from_millis(30));
        hot.took(Duration::from_secs(60));
        let text = metrics.text(&[("hot", true)]);
        for line in [
            "airlift_proxy_requests_total{endpoint=\"manifest\",status=\"200\"} 1",
            "airlift_proxy_registry_answers_total{registry=\"hot\",answer=\"missing\"} 1",
            "airlift_proxy_registry_seconds_bucket{registry=\"hot\",le=\"0.025\"} 0",
            "airlift_proxy_registry_seconds_bucket{registry=\"hot\",le=\"5\"} 1",
            "airlift_proxy_registry_seconds_bucket{registry=\"hot\",le=\"+Inf\"} 2",
            "airlift_proxy_registry_seconds_sum{registry=\"hot\"} 60.03",
            "airlift_proxy_registry_up{registry=\"hot\"} 1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        let typed: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(typed.iter().any(|name| line.starts_with(name)), "{line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
}
