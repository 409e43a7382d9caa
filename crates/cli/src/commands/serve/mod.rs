//! `airlift serve`: an OCI registry over directories, or straight over archives.

mod door;
mod garbage;
mod locations;
mod medium;
mod names;

use std::net::SocketAddr;
use std::time::Duration;

use airlift_serve::access::Access;
use airlift_serve::{Options, Server, Tls};
use anyhow::Context;
use clap::Args as Derive;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::door::Door;
use self::garbage::Garbage;
use crate::exit::{Exit, exit_codes};
use crate::interrupt::Hangup;
use crate::session::Session;
use crate::{duration, files, inputs, output, runtime};

/// Serve an OCI registry over directories, or straight over archives
///
/// oci:DIR is read and written: DIR itself when it is an image layout, else one layout for each
/// repository below it. oci-archive:FILE is read where it lies, nothing is unpacked: every image
/// under its source's name, or under the names that a ruleset gives; the gathered artifact under the
/// file's name. memory: forgets everything at its end. Several locations are one registry: a delta
/// finds in its base what it left out, and pushes go to the first oci:DIR. The address is printed
/// once the registry listens. Without --users and --allow everybody may do everything, without
/// --tls-cert it speaks plain HTTP: then let only those reach it who may. SIGHUP reads the files of
/// --users, --tls-cert and --tls-key again.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift serve oci:/srv/registry --listen 127.0.0.1:5000\n  \
     airlift serve oci-archive:sync-45.tar oci-archive:sync-46.tar --listen 127.0.0.1:0\n  \
     airlift serve oci-archive:sync-45.tar --route longest-prefix=destinations.csv\n  \
     airlift serve oci:/srv/registry --gc --dry-run\n  \
     airlift serve oci:/srv/registry --listen 0.0.0.0:5000 --tls-cert cert.pem --tls-key key.pem \\\n    \
     --users htpasswd --allow 'anonymous:read' --allow 'ci:read-write:team/**'",
    exit_codes!()
))]
pub(crate) struct Args {
    /// What is served: oci:DIR, oci-archive:FILE or memory:
    #[arg(required = true, value_name = "LOCATION")]
    locations: Vec<String>,
    /// Address and port; port 0 is any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Serve the images, to be read only, under the names that this ruleset gives: KIND=ARGUMENT
    #[arg(long, value_name = "RULESET")]
    route: Option<String>,
    #[command(flatten)]
    door: Door,
    /// Connections served at once; one more takes the place of one that does next to nothing
    #[arg(long, value_name = "NUMBER", default_value_t = Options::default().connections)]
    connections: usize,
    /// How long requests under way may go on after an interrupt, as 30, 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    grace: Duration,
    #[command(flatten)]
    garbage: Garbage,
}

/// Serves until interrupted.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    if args.garbage.is_asked_for() {
        return args.garbage.collect(&args.locations);
    }
    runtime::until_interrupted(Hangup::IsTaken, |mut interrupt| async move {
        // Before anything listens: a signal that comes early shall not end the process.
        let hangup = signal(SignalKind::hangup()).context("listening for SIGHUP failed")?;
        let (access, tls) = (args.door.access()?, args.door.tls()?);
        let ruleset = args.route.as_deref().map(inputs::ruleset).transpose()?;
        let storage = locations::storage(&args.locations, ruleset.as_ref(), session).await?;
        let connections = files::allow(args.connections);
        let shared = access.clone();
        let options = Options { access, connections, grace: args.grace, ..Options::default() };
        let mut server = Server::bind(args.listen, storage, options)
            .await
            .with_context(|| format!("listening on {} failed", args.listen))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        if let Some(tls) = tls.clone() {
            server = server.with_tls(tls);
        }
        output::line(&format!("listening on {scheme}://{}", server.local_addr()?))?;
        tokio::select! {
            ended = server.run(async move { interrupt.wait().await }) => ended?,
            () = reload(&args.door, &shared, tls.as_ref(), hangup, session) => {}
        }
        Ok(Exit::Done)
    })
}

/// Reads users and certificate again at every SIGHUP.
async fn reload(
    door: &Door,
    access: &Access,
    tls: Option<&Tls>,
    mut hangup: Signal,
    session: &Session,
) {
    while hangup.recv().await.is_some() {
        match door.read_again(access, tls) {
            Ok(()) => session.say("users and certificate were read again"),
            Err(error) => {
                let text = format!("{error:#}; users and certificate stay as they were");
                session.complain(&text);
            }
        }
    }
    // No signal can come any more; the server goes on.
    std::future::pending::<()>().await;
}
