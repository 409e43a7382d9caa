//! The file of `--trace`: where the time of a run went, in the form that Chrome and Perfetto show.
//!
//! One row of lanes for images, one for blobs, one for each host's requests and one for its waits;
//! what overlaps in time is put into different lanes.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use airlift_oci::observe::{Event, How};
use serde_json::{Value, json};

/// A trace being written. Complete when dropped.
#[derive(Debug)]
pub(super) struct Trace(Mutex<State>);

#[derive(Debug)]
struct State {
    out: BufWriter<File>,
    begun: Instant,
    /// The rows by name, each with when its lanes become free.
    rows: BTreeMap<String, (usize, Vec<Instant>)>,
    images: HashMap<String, Instant>,
    written: bool,
    /// Why the file is not complete.
    failed: Option<io::Error>,
}

/// Something that took a while.
struct Span<'a> {
    row: &'a str,
    name: &'a str,
    begun: Instant,
    ended: Instant,
    args: Value,
}

impl Trace {
    pub(super) fn new(file: File) -> Self {
        Trace(Mutex::new(State {
            out: BufWriter::new(file),
            begun: Instant::now(),
            rows: BTreeMap::new(),
            images: HashMap::new(),
            written: false,
            failed: None,
        }))
    }

    /// Takes an event in. A trace that cannot be written must not stop the run.
    pub(super) fn add(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = Instant::now();
        match event {
            Event::Started { item } => {
                state.images.insert((*item).to_owned(), ended);
            }
            Event::Finished { item, error } => {
                let begun = state.images.remove(*item).unwrap_or(ended);
                let args = json!({ "error": error });
                state.span(&Span { row: "images", name: item, begun, ended, args });
            }
            Event::Blob { item, digest, bytes, from, to, how, begun, effort } => {
                let args = json!({
                    "image": item, "digest": digest, "bytes": bytes, "from": from, "to": to,
                    "how": how.map_or("failed", How::as_str), "requests": effort.requests,
                    "triedAgain": effort.again, "waitedMs": effort.waited.as_millis() as u64,
                });
                let name = digest.short();
                state.span(&Span { row: "blobs", name, begun: *begun, ended, args });
            }
            Event::Request { host, kind, place, status, bytes, begun } => {
                let row = format!("requests to {host}");
                let args = json!({ "place": place, "status": status, "bytes": bytes });
                state.span(&Span { row: &row, name: kind, begun: *begun, ended, args });
            }
            Event::Waiting { host, wait, pause, cause, tries, .. } => {
                let row = format!("waits for {host}");
                let (begun, ended) = (ended, ended + *wait);
                let args = json!({ "cause": cause, "tries": tries });
                state.span(&Span { row: &row, name: pause.as_str(), begun, ended, args });
            }
            _ => {}
        }
    }
}

impl State {
    fn span(&mut self, span: &Span<'_>) {
        let (row, lane) = self.lane(span);
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        self.write(&json!({
            "name": span.name,
            "cat": span.row,
            "ph": "X",
            "ts": micros(span.begun.saturating_duration_since(self.begun)),
            "dur": micros(span.ended.saturating_duration_since(span.begun)),
            "pid": row,
            "tid": lane,
            "args": span.args,
        }));
    }

    /// The row, and the first lane of it that is free all the while.
    fn lane(&mut self, span: &Span<'_>) -> (usize, usize) {
        let count = self.rows.len() + 1;
        if !self.rows.contains_key(span.row) {
            self.rows.insert(span.row.to_owned(), (count, Vec::new()));
            let args = json!({ "name": span.row });
            self.write(&json!({ "name": "process_name", "ph": "M", "pid": count, "args": args }));
        }
        let Some((row, lanes)) = self.rows.get_mut(span.row) else { return (count, 0) };
        if let Some(lane) = lanes.iter().position(|free| *free <= span.begun) {
            lanes[lane] = span.ended;
            return (*row, lane);
        }
        lanes.push(span.ended);
        (*row, lanes.len() - 1)
    }

    /// Keeps the first failure, which must not stop the run.
    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }

    fn write(&mut self, event: &Value) {
        let before = if self.written { ",\n" } else { "[\n" };
        self.written = true;
        let result = write!(self.out, "{before}{event}");
        self.note(result);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let end = if self.written { "\n]\n" } else { "[]\n" };
        let result = self.out.write_all(end.as_bytes()).and_then(|()| self.out.flush());
        self.note(result);
        if let Some(error) = &self.failed {
            tracing::warn!("the file of --trace is not complete: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_json_and_what_overlaps_stands_in_different_lanes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let trace = Trace::new(file.reopen().expect("opens"));
        let begun = Instant::now();
        trace.add(&Event::Started { item: "a.io/x:1" });
        for _ in 0..2 {
            let (kind, place, status) = ("blob-get", "h/x", Some(200));
            trace.add(&Event::Request { host: "h", kind, place, status, bytes: 7, begun });
        }
        trace.add(&Event::Finished { item: "a.io/x:1", error: None });
        drop(trace);
        let text = std::fs::read_to_string(file.path()).expect("reads");
        let events: Vec<Value> = serde_json::from_str(&text).expect("is JSON");
        let requests: Vec<_> =
            events.iter().filter(|event| event["cat"] == "requests to h").collect();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0]["pid"], requests[1]["pid"]);
        assert_ne!(requests[0]["tid"], requests[1]["tid"]);
        assert!(events.iter().any(|event| event["name"] == "a.io/x:1" && event["ph"] == "X"));
    }
}
