//! What was asked of a test registry: every request, and counts of them by kind.

use std::sync::{Mutex, PoisonError};

use airlift_serve::{Endpoint, Route};
use http::{HeaderMap, Method, StatusCode, Uri, header};

/// Kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `GET /v2/`
    Ping,
    /// `GET` of a manifest.
    ManifestGet,
    /// `HEAD` of a manifest.
    ManifestHead,
    /// `PUT` of a manifest.
    ManifestPut,
    /// `DELETE` of a manifest or tag.
    ManifestDelete,
    /// `GET` of a blob.
    BlobGet,
    /// `HEAD` of a blob.
    BlobHead,
    /// `DELETE` of a blob.
    BlobDelete,
    /// `POST` that opens an upload or sends a blob whole.
    UploadPost,
    /// `POST` that asks for a mount.
    Mount,
    /// `PATCH` of an upload.
    UploadPatch,
    /// `PUT` that ends an upload.
    UploadPut,
    /// `GET` of an upload's status.
    UploadStatus,
    /// `DELETE` of an upload.
    UploadCancel,
    /// A page of tags.
    Tags,
    /// A page of referrers.
    Referrers,
    /// A page of the catalog.
    Catalog,
    /// A token.
    Token,
    /// Anything else.
    Other,
}

impl Kind {
    /// The kind of a request.
    pub fn of(method: &Method, uri: &Uri) -> Kind {
        if uri.path() == "/token" {
            return Kind::Token;
        }
        let Ok(route) = Route::parse(uri.path()) else { return Kind::Other };
        let mounts = uri.query().is_some_and(|query| query.contains("mount="));
        match (route, method.as_str()) {
            (Route::Base, _) => Kind::Ping,
            (Route::Catalog, _) => Kind::Catalog,
            (Route::Repository(_, endpoint), method) => match (endpoint, method) {
                (Endpoint::Manifest(_), "GET") => Kind::ManifestGet,
                (Endpoint::Manifest(_), "HEAD") => Kind::ManifestHead,
                (Endpoint::Manifest(_), "PUT") => Kind::ManifestPut,
                (Endpoint::Manifest(_), "DELETE") => Kind::ManifestDelete,
                (Endpoint::Blob(_), "GET") => Kind::BlobGet,
                (Endpoint::Blob(_), "HEAD") => Kind::BlobHead,
                (Endpoint::Blob(_), "DELETE") => Kind::BlobDelete,
                (Endpoint::Uploads, "POST") if mounts => Kind::Mount,
                (Endpoint::Uploads, "POST") => Kind::UploadPost,
                (Endpoint::Upload(_), "PATCH") => Kind::UploadPatch,
                (Endpoint::Upload(_), "PUT") => Kind::UploadPut,
                (Endpoint::Upload(_), "GET") => Kind::UploadStatus,
                (Endpoint::Upload(_), "DELETE") => Kind::UploadCancel,
                (Endpoint::Tags, _) => Kind::Tags,
                (Endpoint::Referrers(_), _) => Kind::Referrers,
                _ => Kind::Other,
            },
        }
    }
}

/// One request and how it was answered.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Its kind.
    pub kind: Kind,
    /// Its method.
    pub method: Method,
    /// Its path, as it came.
    pub path: String,
    /// Its query, as it came.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// The status of the answer; `None` while there is none, and when the connection was broken.
    pub status: Option<StatusCode>,
}

impl Exchange {
    /// The repository asked for.
    pub fn repository(&self) -> Option<String> {
        match Route::parse(&self.path) {
            Ok(Route::Repository(name, _)) => Some(name.to_string()),
            _ => None,
        }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether credentials came with it.
    pub fn is_authorized(&self) -> bool {
        self.headers.contains_key(header::AUTHORIZATION)
    }
}

/// How many requests of each kind there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a kind of request by its name")]
pub struct Counts {
    pub ping: u64,
    pub manifest_get: u64,
    pub manifest_head: u64,
    pub manifest_put: u64,
    pub manifest_delete: u64,
    pub blob_get: u64,
    pub blob_head: u64,
    pub blob_delete: u64,
    /// Uploads opened and blobs sent whole, mounts not among them.
    pub upload_post: u64,
    pub upload_patch: u64,
    pub upload_put: u64,
    pub upload_status: u64,
    pub upload_cancel: u64,
    /// Mounts answered with 201.
    pub mount_ok: u64,
    /// Mounts answered with 202: an upload was opened instead.
    pub mount_refused: u64,
    /// Mounts answered otherwise.
    pub mount_failed: u64,
    pub tags: u64,
    pub referrers: u64,
    pub catalog: u64,
    pub token: u64,
    pub other: u64,
    /// Answers with 401, whatever was asked.
    pub unauthorized: u64,
    /// Answers with 429, whatever was asked.
    pub limited: u64,
    /// Answers with 5xx, whatever was asked.
    pub failed: u64,
}

impl Counts {
    /// All requests.
    pub fn total(&self) -> u64 {
        let reads = self.ping + self.manifest_get + self.manifest_head + self.blob_get;
        let uploads = self.upload_post + self.upload_patch + self.upload_put;
        let sessions = self.upload_status + self.upload_cancel;
        let mounts = self.mount_ok + self.mount_refused + self.mount_failed;
        let deletes = self.manifest_delete + self.blob_delete;
        let lists = self.tags + self.referrers + self.catalog;
        let rest = self.blob_head + self.manifest_put + self.token + self.other;
        reads + uploads + sessions + mounts + deletes + lists + rest
    }

    fn add(&mut self, exchange: &Exchange) {
        let status = exchange.status.map_or(0, |status| status.as_u16());
        self.unauthorized += u64::from(status == 401);
        self.limited += u64::from(status == 429);
        self.failed += u64::from(status >= 500);
        *match exchange.kind {
            Kind::Ping => &mut self.ping,
            Kind::ManifestGet => &mut self.manifest_get,
            Kind::ManifestHead => &mut self.manifest_head,
            Kind::ManifestPut => &mut self.manifest_put,
            Kind::ManifestDelete => &mut self.manifest_delete,
            Kind::BlobGet => &mut self.blob_get,
            Kind::BlobHead => &mut self.blob_head,
            Kind::BlobDelete => &mut self.blob_delete,
            Kind::UploadPost => &mut self.upload_post,
            Kind::UploadPatch => &mut self.upload_patch,
            Kind::UploadPut => &mut self.upload_put,
            Kind::UploadStatus => &mut self.upload_status,
            Kind::UploadCancel => &mut self.upload_cancel,
            Kind::Mount if status == 201 => &mut self.mount_ok,
            Kind::Mount if status == 202 => &mut self.mount_refused,
            Kind::Mount => &mut self.mount_failed,
            Kind::Tags => &mut self.tags,
            Kind::Referrers => &mut self.referrers,
            Kind::Catalog => &mut self.catalog,
            Kind::Token => &mut self.token,
            Kind::Other => &mut self.other,
        } += 1;
    }
}

/// Every request so far.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    /// Grows by one whenever the log is emptied, so that late answers find their place gone.
    round: u64,
    exchanges: Vec<Exchange>,
}

/// Where in the log a request stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    round: u64,
    index: usize,
}

impl Traffic {
    /// Notes a request.
    pub(crate) fn begin(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Ticket {
        let exchange = Exchange {
            kind: Kind::of(method, uri),
            method: method.clone(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or("").to_owned(),
            headers: headers.clone(),
            status: None,
        };
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.exchanges.push(exchange);
        Ticket { round: log.round, index: log.exchanges.len() - 1 }
    }

    /// Notes how it was answered.
    pub(crate) fn end(&self, ticket: Ticket, status: StatusCode) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.round == ticket.round {
            log.exchanges[ticket.index].status = Some(status);
        }
    }

    pub(crate) fn log(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).exchanges.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).exchanges.len()
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.log().iter().for_each(|exchange| counts.add(exchange));
        counts
    }

    pub(crate) fn reset(&self) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.round += 1;
        log.exchanges.clear();
    }
}
