//! Repositories of OCI registries, over HTTP (distribution-spec 1.1).
//!
//! What every request shares is in one place each: `http` sends and retries, `limits` admits,
//! `auth` authorises, `retry` says how long to wait. The other files are the operations of the
//! seam, one each, and know nothing of connections. A [`Client`] holds what is learned of each host
//! (challenge, tokens, quirks, blobs put) and is shared by every [`RegistryStore`] made from it.
//!
//! No host is asked for its version first: the first real request tells what the host wants.

mod answer;
mod auth;
mod blob_read;
mod blob_write;
mod call;
mod check;
mod client;
mod damage;
mod download;
mod endpoint;
mod endpoints;
mod facts;
mod failure;
mod fallback;
mod forward;
mod health;
mod hints;
mod http;
mod kind;
mod limits;
mod manifest;
mod mount;
mod pace;
mod presence;
mod ranges;
mod redirect;
mod referrers;
mod retry;
mod secret;
mod session;
mod settings;
mod store;
mod tags;
mod transport;
mod upload_body;

pub use auth::Credential;
pub use client::Client;
pub use forward::{Access, Forward, Forwarded, Outbound};
pub use kind::Kind;
pub use pace::{Clock, Hours};
pub use secret::Secret;
pub use settings::{
    CredentialSources, Endpoint, HostSettings, ReferrersMode, Retries, Settings, Tls,
};
pub use store::RegistryStore;
