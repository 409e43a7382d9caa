//! Repositories of OCI registries, over HTTP (distribution-spec 1.1).
//!
//! What every request shares is in one place each: `wire` sends once, `tries` as often as it takes,
//! `identity` as somebody; `limits` admits, `auth` authorises, `retry` says how long to wait. Above
//! them `repo` is what the operations of the seam work on, one file each, which know nothing of
//! connections. A [`Client`] holds what is learned of each host
//! (challenge, tokens, quirks, blobs put) and is shared by every [`RegistryStore`] made from it.
//!
//! No host is asked for its version first: the first real request tells what the host wants.

mod answer;
mod auth;
mod blob_read;
mod blob_write;
mod body;
mod brief;
mod by_proxy;
mod call;
mod check;
mod client;
mod contact;
mod course;
mod credential;
mod delivery;
mod direct;
mod download;
mod endpoint;
mod endpoints;
mod facts;
mod failure;
mod fallback;
mod flow;
mod forward;
mod haste;
mod health;
mod hidden;
mod hints;
mod host;
mod identity;
mod kind;
mod limits;
mod manifest;
mod manifest_put;
mod mount;
mod pace;
mod pages;
mod pieces;
mod presence;
mod proof;
mod puts;
mod ranges;
mod redact;
mod redirect;
mod referrers;
mod reply;
mod repo;
mod retry;
mod secret;
mod session;
mod settings;
mod single;
mod store;
mod tags;
mod transport;
mod tries;
mod upload;
mod upload_body;
mod upload_fault;
mod willing;
mod wire;
mod wires;

pub use client::Client;
pub use credential::Credential;
pub use forward::{Access, Forward, Forwarded, Outbound};
pub use kind::Kind;
pub use pace::{Clock, Hours};
pub use secret::Secret;
pub use settings::{
    CredentialSources, Endpoint, HostSettings, ReferrersMode, Retries, Settings, Tls,
};
pub use store::RegistryStore;
