//! `airlift proxy`: one registry name in front of a hot and a cold registry.

mod reload;
mod settings;

use std::path::PathBuf;
use std::time::Duration;

use airlift_serve::proxy::Proxy;
use anyhow::Context;
use clap::Args as Derive;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::reload::Running;
use self::settings::Settings;
use crate::config::Environment;
use crate::exit::{Exit, exit_codes};
use crate::global::Global;
use crate::interrupt::Hangup;
use crate::screen::Screen;
use crate::{duration, files, output, runtime};

/// Serve one registry name in front of a hot and a cold registry
///
/// Manifests come from the hot registry, else from the cold one; blobs by a redirect to the one that
/// has them, or through the proxy where a client could not follow. Settings come from CONFIG, a YAML
/// file, and from variables that begin with MIRROR_, one for every key: registry.hot.url is
/// MIRROR_REGISTRY_HOT_URL. Without CONFIG the file config.yaml is read where there is one. SIGHUP
/// reads the settings again, certificates too, without losing a connection. The address is printed once the proxy
/// listens; logs go to standard error. Its own file says everything: airlift.yaml is not read.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift proxy config.yaml\n  \
     airlift proxy --check config.yaml\n  \
     MIRROR_REGISTRY_HOT_URL=https://hot.example.com \\\n    \
     MIRROR_REGISTRY_COLD_URL=http://localhost:5001 airlift proxy",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Settings [default: config.yaml, where there is one]
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Say whether the settings can be used, and end
    #[arg(long)]
    check: bool,
    /// How long transfers may go on after an interrupt, instead of server.grace, as 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    grace: Option<Duration>,
}

/// Serves until interrupted.
pub(crate) fn run(args: &Args, global: &Global, screen: &Screen) -> anyhow::Result<Exit> {
    let environment = Environment::of_process();
    let first = Settings::read(args, &environment)?;
    settings::log(first.config.logging, global, screen)?;
    runtime::until_interrupted(Hangup::IsTaken, |mut interrupt| async move {
        // Before anything listens: a signal that comes early shall not end the process.
        let hangup = signal(SignalKind::hangup()).context("listening for SIGHUP failed")?;
        let Settings { mut config, access } = first;
        config.server.connections = files::allow(config.server.connections);
        let tls = settings::tls(&config.server.tls)?;
        let (listen, logging) = (config.listen(), config.logging);
        let proxy = Proxy::new(config, access).map_err(settings::explained)?;
        if args.check {
            output::line("the settings can be used")?;
            return Ok(Exit::Done);
        }
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("listening on {listen} failed"))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        output::line(&format!("listening on {scheme}://{}", listener.local_addr()?))?;
        let environment = &environment;
        let running = Running {
            args,
            global,
            environment,
            proxy: proxy.clone(),
            listen,
            logging,
            tls: tls.clone(),
        };
        let reloads = running.reload(hangup);
        let served = proxy.run(listener, tls, async move { interrupt.wait().await });
        tokio::select! {
            ended = served => ended?,
            () = reloads => {}
        }
        Ok(Exit::Done)
    })
}
