//! `airlift serve`: an OCI registry over a directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use airlift_serve::storage::{Directory, Memory, Repositories};
use airlift_serve::{Options, Server};
use anyhow::Context;
use clap::Args as Derive;

use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::output;
use crate::runtime;

/// Serve an OCI registry over a directory
///
/// oci:DIR is read and written: DIR itself when it is an image layout, else one layout for each
/// repository below it. memory: forgets everything at its end. The address is printed once the
/// registry listens. It speaks HTTP without TLS and knows no users: let only those reach it who may.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift serve oci:/srv/registry --listen 127.0.0.1:5000\n  \
     airlift serve oci:staging --listen 127.0.0.1:0",
    exit_codes!()
))]
pub(crate) struct Args {
    /// What is served: oci:DIR or memory:
    location: String,
    /// Address and port; port 0 is any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
}

/// Serves until interrupted.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let storage = storage(&args.location)?;
    runtime::until_interrupted(|mut interrupt| async move {
        let server = Server::bind(args.listen, storage, Options::default())
            .await
            .with_context(|| format!("listening on {} failed", args.listen))?;
        output::line(&format!("listening on http://{}", server.local_addr()?))?;
        server.run(async move { interrupt.wait().await }).await?;
        Ok(Exit::Done)
    })
}

fn storage(location: &str) -> anyhow::Result<Arc<dyn Repositories>> {
    if location == "memory:" {
        return Ok(Arc::new(Memory::new()));
    }
    match location.strip_prefix("oci:").filter(|directory| !directory.is_empty()) {
        Some(directory) => Ok(Arc::new(Directory::open(&PathBuf::from(directory))?)),
        None => Err(Usage::new(
            format!("{location} cannot be served"),
            "serve oci:DIR, a directory that is made when it is not there",
        )
        .into()),
    }
}
