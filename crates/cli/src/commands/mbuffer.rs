//! `airlift mbuffer`: standard input to a device, in whole blocks, through memory.

use std::fs::{File, Metadata};
use std::io::Seek;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use airlift_oci::observe::Event;
use airlift_tape::buffer::Flow;
use airlift_tape::{DEFAULT_MEMORY, MbufferOptions, mbuffer, read_apart};
use clap::Args as Derive;

use crate::commands::serialize::destination;
use crate::exit::{Exit, exit_codes};
use crate::interrupt::go_on;
use crate::runtime;
use crate::session::Session;
use crate::size::{human, parse, parse_positive};

/// Write standard input to a device in whole blocks, through a buffer in memory
///
/// A drive that runs out of bytes stops and winds back. The buffer fills while the input is fast and
/// feeds the drive while it is slow; after a stall it waits until it is filled again. Nothing is added
/// to the input: the last block is as long as what is left.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift mbuffer /dev/nst0 --buffer-size 4Gi < data.tar\n  \
     airlift mbuffer /dev/nst0 -b 512Ki --hwm 90 < sync-45.tar",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Where to: a tape, a device, a file, a pipe; - is standard output
    dest: PathBuf,
    /// Blocks of this size, a multiple of 512: 1Mi on a tape, 10Ki elsewhere
    #[arg(short, long, value_name = "SIZE", value_parser = parse_positive)]
    block_size: Option<usize>,
    /// Size of the buffer; 0 is the default
    #[arg(short = 'm', long, value_name = "SIZE", default_value = "0", value_parser = parse)]
    buffer_size: u64,
    /// At the start and after a stall, wait until this percentage of the buffer is filled: 80 on a
    /// tape, 0 elsewhere
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    hwm: Option<u8>,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
}

/// Buffers.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let device = destination(&args.dest)?;
    let options = MbufferOptions {
        block: args.block_size.map(|size| size as u64),
        memory: if args.buffer_size == 0 { DEFAULT_MEMORY } else { args.buffer_size },
        high_water: args.hwm,
        force: args.force,
    };
    let watch = session.watch()?;
    let begun = Instant::now();
    let flow = runtime::guarded(async {
        let mut input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let bytes = rest(&mut input);
        watch.observer().event(&Event::Planned { items: 0, blobs: 0, bytes });
        let input = read_apart(input)?;
        Ok(mbuffer(input, device, &options, watch.observer()).await?)
    });
    drop(watch);
    let again =
        || "run it again with --force, on the whole input: nothing is gone on with".to_owned();
    let flow = flow.map_err(|error| go_on(error, again))?;
    session.say(&format!("mbuffer: {}", summary(&flow, begun.elapsed())));
    Ok(Exit::Done)
}

/// Bytes of a regular file from where it stands; 0 when that cannot be known.
fn rest(input: &mut File) -> u64 {
    let length = input.metadata().ok().filter(Metadata::is_file).map_or(0, |meta| meta.len());
    length.saturating_sub(input.stream_position().unwrap_or(length))
}

/// What a device took, how fast, and how often it or the other side had to wait.
pub(crate) fn summary(flow: &Flow, took: Duration) -> String {
    let rate = flow.written as f64 / took.as_secs_f64().max(0.001);
    format!(
        "{} written, {}/s; the buffer ran empty {} times, full {} times",
        human(flow.written),
        human(rate as u64),
        flow.empty,
        flow.full
    )
}
