//! Settings that are read again while the proxy runs.

use std::net::SocketAddr;

use airlift_serve::Tls;
use airlift_serve::proxy::Proxy;
use airlift_serve::proxy::config::{Config, Logging};
use tokio::signal::unix::Signal;

use super::Args;
use super::settings::{self, Settings};
use crate::config::Environment;
use crate::global::Global;
use crate::logs;

/// What the running proxy began with, and what of it can be changed.
pub(super) struct Running<'a> {
    pub(super) args: &'a Args,
    pub(super) global: &'a Global,
    pub(super) environment: &'a Environment,
    pub(super) proxy: Proxy,
    pub(super) listen: SocketAddr,
    pub(super) logging: Logging,
    pub(super) tls: Option<Tls>,
}

impl Running<'_> {
    /// Reads the settings again at every SIGHUP. Settings that cannot be used change nothing.
    pub(super) async fn reload(self, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            match self.once() {
                Ok(()) => tracing::info!("the settings were read again"),
                Err(error) => {
                    tracing::error!(
                        reason = format!("{error:#}"),
                        "the settings stay as they were"
                    );
                }
            }
        }
        // No signal can come any more; the proxy goes on.
        std::future::pending::<()>().await;
    }

    fn once(&self) -> anyhow::Result<()> {
        let Settings { config, access } = Settings::read(self.args, self.environment)?;
        // Everything that can be wrong is found before anything changes.
        let tls = settings::tls(&config.server.tls)?;
        let level = settings::level(config.logging, self.global)?;
        let unchanged = self.unchanged(&config, tls.is_some());
        self.proxy.reload(config, access).map_err(settings::explained)?;
        if let (Some(running), Some(new)) = (&self.tls, &tls) {
            running.replace(new);
        }
        logs::change(level);
        for key in unchanged {
            tracing::warn!(key, "this setting changed, which takes a restart: it is as it was");
        }
        Ok(())
    }

    /// The keys whose new values take a restart.
    fn unchanged(&self, config: &Config, tls: bool) -> Vec<&'static str> {
        let mut keys = Vec::new();
        if config.listen() != self.listen {
            keys.push("server.address, server.port");
        }
        if tls != self.tls.is_some() {
            keys.push("server.tls");
        }
        if config.logging.format != self.logging.format {
            keys.push("logging.format");
        }
        keys
    }
}
