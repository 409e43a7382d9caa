//! Everything an operator can set about registries: plain data, made from configuration by others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::credential::Credential;
use super::pace::Hours;
use super::secret::Secret;

/// Settings of a [`super::Client`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// By registry, as written in references: `docker.io`, `registry.example.com:5000`. What is
    /// not listed gets the defaults.
    pub hosts: BTreeMap<String, HostSettings>,
    /// Where credentials come from.
    pub credentials: CredentialSources,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Most requests under way at once to one host (beyond that only what keeps a registry that
    /// is read and written at once from standing still). Left at its default, it is a third more for
    /// hosts that are far and show no trouble.
    pub max_connections_per_host: usize,
    /// Requests a second to one host, when that is to be bounded.
    pub requests_per_second: Option<f64>,
    /// Bytes a second in each direction, over all hosts, when that is to be bounded.
    pub rate: Option<u64>,
    /// The hours of the day outside of which nothing moves.
    pub hours: Option<Hours>,
    /// Directory in which hints on where blobs are go from run to run; none are kept without.
    pub blob_hints: Option<PathBuf>,
    /// How often a request is tried again.
    pub retries: Retries,
    /// The longest wait that a host may ask for with `Retry-After`, at once or in all since it last
    /// answered well.
    pub retry_after_limit: Duration,
    /// A body of which no byte moves for this long is broken off and resumed.
    pub stall_timeout: Duration,
    /// Time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Time until an answer begins.
    pub answer_timeout: Duration,
    /// Time until the answer to an upload begins once its last byte is sent: registries check and
    /// move large blobs before they answer.
    pub commit_timeout: Duration,
    /// Largest chunk of an upload, in bytes, where a registry takes no upload in one piece.
    pub chunk_size: u64,
}

/// How often and at what distance failed requests are tried again.
#[derive(Debug, Clone)]
pub struct Retries {
    /// Further tries after a broken connection, a time-out or a 5xx; of a body, tries without
    /// progress.
    pub attempts: u32,
    /// Further tries after a 429 that does not say how long to wait. One that says is waited out
    /// and not counted.
    pub throttled: u32,
    /// The first wait; doubled each time.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

/// Settings of one registry.
#[derive(Debug, Clone, Default)]
pub struct HostSettings {
    /// Where it is reached, for reads in this order; writes go to the first. Empty: at its name.
    pub endpoints: Vec<Endpoint>,
    /// Rewrites of repository names for reads: the first expression that matches is replaced.
    pub rewrite_pull: Vec<(Regex, String)>,
    /// HTTP without TLS at its name. Loopback addresses need no such setting.
    pub plain_http: bool,
    /// TLS at its name.
    pub tls: Tls,
    /// How referrers are listed at its name.
    pub referrers: ReferrersMode,
    /// Headers added to every request to its endpoints.
    pub headers: BTreeMap<String, Secret>,
}

/// One address of a registry.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// `https://HOST[:PORT][/PATH]`; `/v2` is added unless the path holds it.
    pub url: String,
    /// TLS.
    pub tls: Tls,
    /// How referrers are listed.
    pub referrers: ReferrersMode,
}

/// TLS towards one endpoint. All files are PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tls {
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
    /// Further authorities.
    pub ca: Vec<PathBuf>,
    /// The client's certificate.
    pub cert: Option<PathBuf>,
    /// The key of the client's certificate.
    pub key: Option<PathBuf>,
}

/// How referrers are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReferrersMode {
    /// By the API, else by the fallback tag.
    #[default]
    Auto,
    /// By the API alone.
    Api,
    /// By the fallback tag alone.
    Tag,
}

/// Where credentials come from.
#[derive(Debug, Clone)]
pub struct CredentialSources {
    /// `auth.json` and `config.json` files, the first with an entry wins. Missing ones are skipped.
    pub auth_files: Vec<PathBuf>,
    /// By registry; before any file.
    pub fixed: BTreeMap<String, Credential>,
    /// Where the fixed ones come from, for messages.
    pub fixed_origin: String,
    /// Time that a credential helper may take.
    pub helper_timeout: Duration,
}

/// Most requests under way to one host, where nobody says otherwise.
const CONNECTIONS: usize = 40;
/// The same for hosts that are far.
const CONNECTIONS_FAR: usize = 56;

impl Settings {
    /// Most requests under way to a host that is far.
    pub(super) fn most_far(&self) -> usize {
        match self.max_connections_per_host {
            CONNECTIONS => CONNECTIONS_FAR,
            set => set,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            hosts: BTreeMap::new(),
            credentials: CredentialSources::default(),
            user_agent: concat!("airlift/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_connections_per_host: CONNECTIONS,
            requests_per_second: None,
            rate: None,
            hours: None,
            blob_hints: None,
            retries: Retries::default(),
            retry_after_limit: Duration::from_secs(3600),
            stall_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(60),
            commit_timeout: Duration::from_secs(600),
            chunk_size: 4 << 20,
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Retries {
            attempts: 8,
            throttled: 16,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(30),
        }
    }
}

impl Default for CredentialSources {
    fn default() -> Self {
        CredentialSources {
            auth_files: Vec::new(),
            fixed: BTreeMap::new(),
            fixed_origin: "the configuration".to_owned(),
            helper_timeout: Duration::from_secs(20),
        }
    }
}
