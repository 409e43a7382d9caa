//! `airlift verify`: a medium read whole and checked, nothing written.

use std::path::PathBuf;

use airlift_tape::{Medium, VerifyOptions, VerifyReport, verify};
use anyhow::Context;
use clap::{Args as Derive, ValueEnum};
use serde_json::{Value, json};

use crate::exit::{Exit, exit_codes};
use crate::interrupt::read_again;
use crate::leaving::Leaving;
use crate::received::damage_json;
use crate::session::Session;
use crate::size::{human, parse};
use crate::table::shown;
use crate::whole::{writable, write_whole};
use crate::{output, runtime};

/// Read media whole and check them; write nothing
///
/// Every content is checked against its digest, and that everything named is there. Several media are
/// parts of one whole, as deserialize takes them. Damage is listed with the images that need it; what
/// was left out because the far side has it is no damage. Damage or gaps end with exit code 4.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift verify /dev/nst0\n  \
     airlift verify base.tar delta.tar --report verify.json",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The media in the order in which they were written: files, devices, pipes; - is standard input
    #[arg(required = true)]
    source: Vec<PathBuf>,
    /// Memory for what is read ahead; 0 is 16Mi from a file, 64Mi from a drive or a pipe
    #[arg(short = 'm', long, value_name = "SIZE", default_value = "0", value_parser = parse)]
    buffer_size: u64,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    /// Write the answer as JSON to FILE, too
    #[arg(long, value_name = "FILE", value_parser = writable)]
    report: Option<PathBuf>,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Lines for people.
    #[default]
    Text,
    /// JSON.
    Json,
}

/// Verifies and prints.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let memory = (args.buffer_size > 0).then_some(args.buffer_size);
    let found = read(&args.source, memory, session)?;
    let document = document(&found)?;
    let mut leaving = Leaving::of(session);
    if let Some(path) = &args.report {
        leaving.file(|| write_whole(path, document.as_bytes()));
    }
    match args.output {
        Form::Json => output::text(&document)?,
        Form::Text => output::text(&text(&found))?,
    }
    Ok(leaving.exit(exit(&found)))
}

/// Reads media to their end, `memory` bytes ahead or as many as each asks for.
pub(crate) fn read(
    media: &[PathBuf],
    memory: Option<u64>,
    session: &Session,
) -> anyhow::Result<VerifyReport> {
    let watch = session.watch()?;
    let options = VerifyOptions { memory };
    runtime::guarded(async {
        let media = media.iter().map(|path| Medium::at(path)).collect();
        verify(media, &options, watch.observer()).await.context("nothing was verified")
    })
    .map_err(read_again)
}

/// What the media come to, as an exit code.
pub(crate) fn exit(report: &VerifyReport) -> Exit {
    if report.is_good() { Exit::Done } else { Exit::Damaged }
}

/// A line for everything that is wrong, and one for the whole.
pub(crate) fn text(report: &VerifyReport) -> String {
    let mut lines: Vec<String> =
        report.damage.iter().map(|damage| format!("damaged: {damage}")).collect();
    lines.extend(report.missing.iter().map(|missing| format!("missing: {missing}")));
    for (root, tag) in &report.roots {
        let tag = tag.as_ref().map(|tag| format!(" ({tag})")).unwrap_or_default();
        lines.push(format!("holds {root}{tag}"));
    }
    if report.roots.is_empty() {
        lines.push("holds no image".to_owned());
    }
    lines.push(format!(
        "{}: {} entries, {} read; {} damaged, {} missing, {} left out on purpose",
        if report.is_good() { "whole and right" } else { "NOT WHOLE" },
        report.entries,
        human(report.bytes),
        report.damage.len(),
        report.missing.len(),
        report.omitted.len()
    ));
    lines.iter().map(|line| shown(line) + "\n").collect()
}

/// The answer as JSON.
pub(crate) fn document(report: &VerifyReport) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&json(report))? + "\n")
}

fn json(report: &VerifyReport) -> Value {
    let missing = |list: &[airlift_tape::Missing]| -> Vec<Value> {
        list.iter()
            .map(|one| {
                json!({
                    "digest": one.descriptor.digest, "size": one.descriptor.size,
                    "namedBy": one.named_by, "image": one.image, "expected": one.expected,
                })
            })
            .collect()
    };
    json!({
        "good": report.is_good(),
        "roots": report.roots.iter().map(|(digest, tag)| {
            json!({"digest": digest, "tag": tag.as_ref().map(ToString::to_string)})
        }).collect::<Vec<_>>(),
        "entries": report.entries,
        "bytes": report.bytes,
        "damage": report.damage.iter().map(damage_json).collect::<Vec<_>>(),
        "missing": missing(&report.missing),
        "omitted": missing(&report.omitted),
    })
}
