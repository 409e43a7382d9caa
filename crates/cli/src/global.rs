//! The options that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::pacing::Pacing;

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Global {
    /// Configuration file; the first that exists is used [env: AIRLIFT_CONFIG, ACE_DT_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// File with the credentials [env: AIRLIFT_REGISTRY_AUTH_FILE, REGISTRY_AUTH_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) auth_file: Option<PathBuf>,
    /// Most requests under way to one registry [env: AIRLIFT_CONCURRENT_HTTP]
    #[arg(
        long, visible_alias = "connections-per-host", global = true, value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) concurrent_http: Option<u16>,
    #[command(flatten)]
    pub(crate) pacing: Pacing,
    /// Directory for hints on where blobs are [env: AIRLIFT_CACHE_PATH] [default: ~/.cache/airlift]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache_path: Option<PathBuf>,
    /// Neither read nor write hints on where blobs are
    #[arg(long, global = true, conflicts_with = "cache_path")]
    pub(crate) no_cache: bool,
    /// Log more: -v infos, -vv details, -vvv everything; or -v=LEVEL [env: AIRLIFT_VERBOSITY]
    #[arg(
        short, long, alias = "verbosity", global = true, value_name = "LEVEL", num_args = 0..=1,
        require_equals = true, default_missing_value = "+", action = clap::ArgAction::Append
    )]
    pub(crate) verbose: Vec<String>,
    /// Form of the logs on standard error [env: AIRLIFT_LOG_FORMAT] [default: text]
    #[arg(long, global = true, value_name = "FORMAT", value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// No progress line, even on a terminal
    #[arg(long, global = true)]
    pub(crate) no_term: bool,
    /// How progress is shown [env: AIRLIFT_PROGRESS] [default: auto]
    #[arg(long, global = true, value_name = "HOW", value_enum)]
    pub(crate) progress: Option<ProgressStyle>,
    /// Write every event of the run to FILE, one JSON object a line
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) debug: Option<PathBuf>,
    /// Write to FILE where the time of the run went, as a trace for Chrome or Perfetto
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

/// Form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// A line that changes on a terminal, a line every few seconds elsewhere.
    Auto,
    /// A line that changes.
    Bar,
    /// One JSON object a line.
    Json,
    /// Nothing.
    None,
}
