//! The registry's API: one dispatcher, one module for each group of endpoints.

mod answer;
mod blobs;
mod discovery;
mod error;
mod manifests;
mod page;
mod query;
mod range;
mod receive;
mod route;
mod sessions;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use self::error::{Answer, Failure};
use self::query::Query;
pub use self::route::{Endpoint, Route, RouteError};
use self::sessions::Sessions;
use crate::Options;
use crate::access::{Verdict, Visitor};
use crate::storage::{Repositories, Repository, RepositoryName};

/// The registry as a service.
pub fn router(storage: Arc<dyn Repositories>, options: Options) -> Router {
    let sessions = Sessions::new(options.upload_sessions, options.upload_idle);
    let registry = Arc::new(Registry { storage, options, sessions });
    Router::new().fallback(dispatch).with_state(registry)
}

/// What every endpoint works with.
struct Registry {
    storage: Arc<dyn Repositories>,
    options: Options,
    sessions: Sessions,
}

async fn dispatch(State(registry): State<Arc<Registry>>, request: Request) -> Response {
    let head = request.method() == Method::HEAD;
    let mut response = answer(&registry, request).await.unwrap_or_else(Failure::into_response);
    // An answer to HEAD has no body, not even of an error.
    if head && !response.status().is_success() {
        *response.body_mut() = Body::empty();
    }
    let version = HeaderName::from_static("docker-distribution-api-version");
    response.headers_mut().insert(version, HeaderValue::from_static("registry/2.0"));
    response
}

async fn answer(registry: &Registry, request: Request) -> Answer {
    let (head, body) = request.into_parts();
    let route = match Route::parse(head.uri.path()) {
        Ok(route) => route,
        // A tag that cannot be is a tag that is not there, except to whoever wants to make it.
        Err(RouteError::Tag(message)) if head.method != Method::PUT => {
            return Err(Failure::manifest_unknown(&message));
        }
        Err(error) => return Err(error.into()),
    };
    let visitor = match admit(registry, &head, &route).await {
        Verdict::Allowed(visitor) => visitor,
        Verdict::Refused(refusal) => return Ok(refusal.into_response()),
    };
    let query = Query::of(&head.uri);
    let reading = matches!(head.method, Method::GET | Method::HEAD);
    match route {
        Route::Base if reading => Ok(StatusCode::OK.into_response()),
        Route::Catalog if reading => discovery::catalog(registry, &visitor, &query).await,
        Route::Base | Route::Catalog => Err(Failure::method()),
        Route::Repository(name, endpoint) => {
            let call =
                Call { registry, visitor: &visitor, name: &name, query: &query, head: &head };
            in_repository(call, endpoint, body).await
        }
    }
}

/// Whether a request may go on. What there is not is asked about before it is said so.
async fn admit(registry: &Registry, head: &Parts, route: &Route) -> Verdict {
    let authorization = head.headers.get(header::AUTHORIZATION);
    let name = match route {
        Route::Base | Route::Catalog => None,
        Route::Repository(name, _) => Some(name),
    };
    registry.options.access.check(authorization, &head.method, name).await
}

/// A request to a repository: everything but its body.
#[derive(Clone, Copy)]
struct Call<'a> {
    registry: &'a Registry,
    visitor: &'a Visitor,
    name: &'a RepositoryName,
    query: &'a Query,
    head: &'a Parts,
}

impl Call<'_> {
    /// The repository, which must be there.
    async fn repository(&self) -> Result<Arc<dyn Repository>, Failure> {
        let found = self.registry.storage.get(self.name).await?;
        found.ok_or_else(|| Failure::name_unknown(self.name))
    }

    /// The repository, made when it is not there.
    async fn made(&self) -> Result<Arc<dyn Repository>, Failure> {
        Ok(self.registry.storage.create(self.name).await?)
    }

    fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }
}

async fn in_repository(call: Call<'_>, endpoint: Endpoint, body: Body) -> Answer {
    match (endpoint, call.head.method.as_str()) {
        (Endpoint::Manifest(version), "GET" | "HEAD") => manifests::get(call, &version).await,
        (Endpoint::Manifest(version), "PUT") => manifests::put(call, &version, body).await,
        (Endpoint::Manifest(version), "DELETE") => manifests::delete(call, &version).await,
        (Endpoint::Blob(digest), "GET" | "HEAD") => blobs::get(call, &digest).await,
        (Endpoint::Blob(digest), "DELETE") => blobs::delete(call, &digest).await,
        (Endpoint::Uploads, "POST") => uploads::post(call, body).await,
        (Endpoint::Upload(id), "GET") => uploads::status(call, &id).await,
        (Endpoint::Upload(id), "PATCH") => uploads::patch(call, &id, body).await,
        (Endpoint::Upload(id), "PUT") => uploads::put(call, &id, body).await,
        (Endpoint::Upload(id), "DELETE") => uploads::cancel(call, &id),
        (Endpoint::Tags, "GET" | "HEAD") => discovery::tags(call).await,
        (Endpoint::Referrers(digest), "GET" | "HEAD") => discovery::referrers(call, &digest).await,
        _ => Err(Failure::method()),
    }
}
