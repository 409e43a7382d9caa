//! HTTP: an OCI registry (distribution-spec 1.1) over any [`storage::Repositories`].
//!
//! [`router`] is the registry as a service, to which layers can be added; [`Server`] runs one on a
//! socket. What is behind it is a [`storage::Repositories`]: many repositories, each a store of the
//! seam that can also take in bytes of which the digest is not known yet, and remove content.
//! Nothing here prints or reads the environment; events go to `tracing`.

pub mod access;
mod api;
mod options;
pub mod proxy;
mod server;
pub mod storage;
mod tls;

pub use api::{Endpoint, Route, RouteError, router};
pub use options::Options;
pub use server::Server;
pub use tls::{Tls, TlsError};
