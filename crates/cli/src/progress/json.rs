//! JSON lines, for programs that watch: `{"event": ..}` for what happens, `progress` every second.

use std::time::{Duration, Instant};

use airlift_oci::observe::{Event, How};
use serde_json::{Value, json};

use super::{Reading, View};
use crate::screen::Screen;

/// A `progress` object a second, and one at the end.
pub(super) struct Json {
    screen: Screen,
    last: Instant,
}

impl Json {
    pub(super) fn new(screen: &Screen) -> Self {
        Json { screen: screen.clone(), last: Instant::now() }
    }
}

impl View for Json {
    fn show(&mut self, reading: &Reading, ended: bool) {
        if !ended && self.last.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.last = Instant::now();
        let line = json!({
            "event": if ended { "ended" } else { "progress" },
            "items": reading.items,
            "finished": reading.finished,
            "failed": reading.failed,
            "bytes": reading.bytes,
            "done": reading.done,
            "moved": reading.passed,
            "bytesPerSecond": reading.rate,
            "secondsLeft": reading.left.map(|left| left.as_secs()),
            "platforms": reading.pieces.platforms,
            "platformsDone": reading.pieces.platforms_done,
            "blobs": reading.pieces.blobs,
            "blobsMoved": reading.pieces.moved,
            "blobsMounted": reading.pieces.mounted,
            "blobsSkipped": reading.pieces.skipped,
            "buffer": reading.buffer.map(|buffer| json!({
                "filled": buffer.filled, "capacity": buffer.capacity, "stalls": buffer.stalls,
            })),
            "waiting": reading.waiting.iter().map(|wait| &wait.host).collect::<Vec<_>>(),
            "waitingWhy": reading.waiting.iter().map(|wait| &wait.why).collect::<Vec<_>>(),
            "waitingSeconds": reading.waiting.iter().map(|wait| wait.left.as_secs()).collect::<Vec<_>>(),
        });
        self.screen.object(&line);
    }
}

/// One event as an object; `None` for kinds that this version does not know.
pub(super) fn event(event: &Event<'_>) -> Option<Value> {
    Some(match event {
        Event::Planned { items, blobs, bytes } => {
            json!({"event": "planned", "items": items, "blobs": blobs, "bytes": bytes})
        }
        Event::Started { item } => json!({"event": "started", "item": item}),
        Event::Finished { item, error } => {
            json!({"event": "finished", "item": item, "error": error})
        }
        Event::Moved { bytes } => json!({"event": "moved", "bytes": bytes}),
        Event::Stored { bytes, how } => {
            json!({"event": "stored", "bytes": bytes, "how": how.as_str()})
        }
        Event::Platforms { known } => json!({"event": "platforms", "known": known}),
        Event::Manifest { bytes, how, platform } => {
            let how = how.as_str();
            json!({"event": "manifest", "bytes": bytes, "how": how, "platform": platform})
        }
        Event::Waiting { host, wait, pause, cause, tries, .. } => {
            let (seconds, why) = (wait.as_secs_f64(), pause.as_str());
            json!({
                "event": "waiting", "host": host, "seconds": seconds, "why": why, "cause": cause,
                "tries": tries,
            })
        }
        Event::Request { host, kind, place, status, bytes, begun } => {
            let ms = begun.elapsed().as_millis() as u64;
            json!({
                "event": "request", "host": host, "kind": kind, "place": place,
                "status": status, "bytes": bytes, "ms": ms,
            })
        }
        Event::Blob { item, digest, bytes, from, to, how, begun, effort } => json!({
            "event": "blob", "item": item, "digest": digest, "bytes": bytes, "from": from,
            "to": to, "how": how.map_or("failed", How::as_str), "requests": effort.requests,
            "triedAgain": effort.again, "waitedMs": effort.waited.as_millis() as u64,
            "ms": begun.elapsed().as_millis() as u64,
        }),
        Event::Buffer { filled, capacity, stalls } => {
            json!({"event": "buffer", "filled": filled, "capacity": capacity, "stalls": stalls})
        }
        Event::Warning { text } => json!({"event": "warning", "text": text}),
        _ => return None,
    })
}
