//! `airlift serve`: an OCI registry over a directory, or straight over an archive.

mod names;

use std::net::SocketAddr;
use std::sync::Arc;

use airlift_oci::types::Location;
use airlift_serve::storage::{Directory, Memory, Repositories};
use airlift_serve::{Options, Server};
use anyhow::Context;
use clap::Args as Derive;

use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::session::Session;
use crate::{inputs, output, runtime};

/// Serve an OCI registry over a directory, or straight over an archive
///
/// oci:DIR is read and written: DIR itself when it is an image layout, else one layout for each
/// repository below it. oci-archive:FILE is read where it lies, nothing is unpacked: every image
/// under its source's name, or under the names that a ruleset gives. memory: forgets everything at
/// its end. The address is printed once the registry listens. It speaks HTTP without TLS and knows no
/// users: let only those reach it who may.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift serve oci:/srv/registry --listen 127.0.0.1:5000\n  \
     airlift serve oci-archive:sync-45.tar --listen 127.0.0.1:0\n  \
     airlift serve oci-archive:sync-45.tar --route longest-prefix=destinations.csv",
    exit_codes!()
))]
pub(crate) struct Args {
    /// What is served: oci:DIR, oci-archive:FILE or memory:
    location: String,
    /// Address and port; port 0 is any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Serve the images, to be read only, under the names that this ruleset gives: KIND=ARGUMENT
    #[arg(long, value_name = "RULESET")]
    route: Option<String>,
}

/// Serves until interrupted.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    runtime::until_interrupted(|mut interrupt| async move {
        let storage = storage(args, session).await?;
        let server = Server::bind(args.listen, storage, Options::default())
            .await
            .with_context(|| format!("listening on {} failed", args.listen))?;
        output::line(&format!("listening on http://{}", server.local_addr()?))?;
        server.run(async move { interrupt.wait().await }).await?;
        Ok(Exit::Done)
    })
}

async fn storage(args: &Args, session: &Session) -> anyhow::Result<Arc<dyn Repositories>> {
    let ruleset = args.route.as_deref().map(inputs::ruleset).transpose()?;
    let wrong = || {
        Usage::new(
            format!("{} cannot be served", args.location),
            "serve oci:DIR, a directory that is made when it is not there, or oci-archive:FILE",
        )
    };
    if args.location == "memory:" && ruleset.is_none() {
        return Ok(Arc::new(Memory::new()));
    }
    match args.location.parse::<Location>().map_err(|_| wrong())? {
        Location::Layout { directory, tag: None } if ruleset.is_none() => {
            Ok(Arc::new(Directory::open(&directory)?))
        }
        Location::Registry(_) => Err(wrong().into()),
        location => {
            let names = names::of(&location, ruleset.as_ref()).await?;
            for (repository, tag) in names.listed() {
                session.say(&format!("{repository}:{tag}"));
            }
            Ok(Arc::new(names.storage()))
        }
    }
}
