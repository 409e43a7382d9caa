//! One registry name in front of several registries: a hot one, a cold one, and others by rule.
//!
//! A manifest comes from the first registry that has it, checked against its digest; a blob by a
//! redirect to the registry that has it, or through the proxy where a redirect would not work; tags
//! and referrers are those of all. A registry that does not answer is bounded in time and then left
//! alone for a while, and never makes "not there" of something that may be there.
//!
//! [`Config`] is what an operator can set, [`Proxy`] serves it, [`Proxy::reload`] changes it.

mod asked;
mod away;
mod backend;
mod blobs;
mod breaker;
mod call;
mod client;
pub mod config;
mod failure;
mod flight;
mod follow;
mod found;
mod headers;
mod health;
mod known;
mod lists;
mod manifests;
mod metrics;
mod push;
mod recent;
mod redirects;
mod relay;
mod service;
mod setup;
mod silence;
mod warm;

pub use config::{Config, ConfigError};
pub use service::Proxy;
