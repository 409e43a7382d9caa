//! The table of this benchmark, and the page around it.

use std::fmt::Write as _;

use super::machine::Took;
use super::{CONNECTIONS, DRIVE, FAR, RHYTHM};

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    measured: String,
    beside: String,
    ratio: String,
    wanted: String,
    kept: &'static str,
}

impl Row {
    /// A rate that is wanted to be at least `wanted` of another.
    pub(super) fn ratio(
        what: &str,
        measured: String,
        beside: String,
        ratio: f64,
        wanted: f64,
    ) -> Row {
        let kept = if ratio >= wanted { "yes" } else { "no" };
        let (ratio, wanted) = (format!("{ratio:.2}"), format!("≥ {wanted}"));
        Row { what: what.to_owned(), measured, beside, ratio, wanted, kept }
    }

    /// A count that is wanted to be at most `wanted`, when anything is.
    pub(super) fn most(
        what: &str,
        measured: String,
        beside: String,
        count: u64,
        wanted: Option<u64>,
    ) -> Row {
        let kept = wanted.map_or("", |most| if count <= most { "yes" } else { "no" });
        let wanted = wanted.map_or_else(|| "(too small)".to_owned(), |most| format!("≤ {most}"));
        Row { what: what.to_owned(), measured, beside, ratio: String::new(), wanted, kept }
    }
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Page {
    bytes: u64,
    pub(super) rows: Vec<Row>,
    pub(super) machine: Option<Took>,
    /// MB/s that came of the network with bursts.
    pub(super) bursts: Option<f64>,
    /// MiB that deserialize of the image held at most.
    pub(super) peak: u64,
}

impl Page {
    pub(super) fn new(bytes: u64) -> Page {
        Page { bytes, rows: Vec::new(), machine: None, bursts: None, peak: 0 }
    }

    /// The page, with the setting in words.
    pub(super) fn text(&self, setting: &str) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let mut text = format!(
            "# Archives beside the machine\n\n{setting}\n\n\
             A machine with {cores} cores, which also runs the registries, the line and the drive. Registries are `airlift serve`. The image\n\
             has {:.0} MB in layers from 64 KiB to 64 MiB; medians of the rounds, and of memory the peak of one run.\n\n\
             | what | measured | beside | ratio | wanted | kept |\n| --- | --- | --- | --- | --- | --- |\n",
            self.bytes as f64 / 1e6
        );
        // Writing to a string cannot fail.
        for row in &self.rows {
            let Row { what, measured, beside, ratio, wanted, kept } = row;
            let _ =
                writeln!(text, "| {what} | {measured} | {beside} | {ratio} | {wanted} | {kept} |");
        }
        let rate = |seconds: f64| self.bytes as f64 / 1e6 / seconds;
        if let Some(Took { copy, hash }) = self.machine {
            let _ = writeln!(
                text,
                "\nLoopback: beside is the slower of `dd bs=1M conv=fsync`, which copies the archive ({:.0} MB/s), and `sha256sum` of it at\n\
                 the same time ({:.0} MB/s). `airlift` ends when its file is on the disk too. Neither runs a registry meanwhile, as `airlift`\n\
                 has to: the registry checks every byte as well.",
                rate(copy),
                rate(hash)
            );
        }
        let _ = writeln!(
            text,
            "\nThe line: {:.0} ms there and back, {:.0} MB/s a connection, {CONNECTIONS} connections. The bare loop knows every blob before, checks\n\
             nothing, and is what this machine carries over the same line.",
            FAR.round_trip.as_secs_f64() * 1e3,
            FAR.rate / 1e6
        );
        let _ = writeln!(
            text,
            "\nThe drive: a reader of the archive that takes 1 MiB each {:.1} ms, behind a buffer with `--hwm 80`. The network gives {:.0} MB/s\n\
             for {:.1} s, then nothing for {:.1} s{}. Stalls are those that the buffer counted; gaps are times that\n\
             the drive waited more than 50 ms. A buffer that is smaller than what a silence takes shows that stalls are seen.",
            1e3 * f64::from(1 << 20) / DRIVE,
            RHYTHM.rate / 1e6,
            RHYTHM.burst.as_secs_f64(),
            RHYTHM.silence.as_secs_f64(),
            self.bursts.map_or_else(String::new, |rate| format!(
                " (the bare loop got {rate:.0} MB/s of it)"
            ))
        );
        text
    }
}
