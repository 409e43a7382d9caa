//! Who may do what: basic credentials, or tokens with scopes that run out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlift_serve::Route;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::form_urlencoded;

use crate::Kind;

/// What the registry asks of its clients.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// A user and password with every request.
    Basic(String, String),
    /// A token for every repository and action.
    Bearer(Bearer),
}

/// Tokens.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// User and password for which tokens are given. None: to whoever asks.
    pub user: Option<(String, String)>,
    /// An identity token (a refresh token) for which tokens are given too.
    pub identity: Option<String>,
    /// Whether nobody in particular may pull.
    pub anonymous_pull: bool,
    /// How long a token is good for. Told to the client in whole seconds, rounded down.
    pub lifetime: Duration,
    /// Whether tokens are to be had from the second host.
    pub elsewhere: bool,
    /// Whether the client is told for how long its token is good.
    pub tells_lifetime: bool,
    /// For how many requests a token is good, whatever its age.
    pub uses: Option<u64>,
    /// By how many bytes a token grows with each repository that it is for.
    pub padding: usize,
    /// How the challenge is written.
    pub challenge: Challenge,
    /// Whether tokens for a password are to be had by POST alone.
    pub only_post: bool,
}

/// How a challenge is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Challenge {
    /// As the specification has it.
    #[default]
    Plain,
    /// With odd case and spaces, values that should be quoted and are not.
    Careless,
    /// After others, in one header.
    BehindBasic,
    /// In a header of its own, after that of another.
    SecondHeader,
    /// Without the scope that is needed.
    WithoutScope,
}

impl Default for Bearer {
    fn default() -> Self {
        Bearer {
            user: None,
            identity: None,
            anonymous_pull: false,
            lifetime: Duration::from_secs(300),
            elsewhere: false,
            tells_lifetime: true,
            uses: None,
            padding: 0,
            challenge: Challenge::Plain,
            only_post: false,
        }
    }
}

impl Auth {
    /// Basic credentials.
    pub fn basic(user: &str, password: &str) -> Auth {
        Auth::Basic(user.to_owned(), password.to_owned())
    }

    /// Tokens for one user.
    pub fn bearer(user: &str, password: &str) -> Auth {
        let user = Some((user.to_owned(), password.to_owned()));
        Auth::Bearer(Bearer { user, ..Bearer::default() })
    }
}

/// An action in a repository: `pull`, `push`, `delete`.
type Grant = (String, String);

/// Checks credentials and gives tokens.
#[derive(Debug)]
pub(crate) struct Gate {
    auth: Auth,
    realm: String,
    issued: Mutex<Issued>,
}

#[derive(Debug, Default)]
struct Issued {
    tokens: BTreeMap<String, Token>,
    /// The scopes of each exchange that succeeded, in order.
    exchanges: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Token {
    grants: BTreeSet<Grant>,
    end: Instant,
    used: u64,
}

impl Gate {
    pub(super) fn new(auth: Auth, addr: SocketAddr, other: SocketAddr) -> Gate {
        let elsewhere = matches!(&auth, Auth::Bearer(bearer) if bearer.elsewhere);
        let realm = format!("http://{}/token", if elsewhere { other } else { addr });
        Gate { auth, realm, issued: Mutex::default() }
    }

    pub(crate) fn exchanges(&self) -> Vec<Vec<String>> {
        self.lock().exchanges.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The refusal of a request whose credentials are not enough.
    pub(super) fn refusal(&self, kind: Kind, request: &Request) -> Option<Response> {
        match &self.auth {
            Auth::None => None,
            Auth::Basic(user, password) => match basic(request.headers()) {
                Some(given) if given == (user.clone(), password.clone()) => None,
                _ => Some(unauthorized("Basic realm=\"test\"")),
            },
            Auth::Bearer(bearer) => {
                self.token_refusal(bearer, &needed(kind, request), request.headers())
            }
        }
    }

    fn token_refusal(
        &self,
        bearer: &Bearer,
        needed: &[Grant],
        headers: &HeaderMap,
    ) -> Option<Response> {
        let token = text(headers).and_then(|text| text.strip_prefix("Bearer "));
        let mut issued = self.lock();
        let known = token.and_then(|token| issued.tokens.get_mut(token));
        let error = match known {
            Some(known) if known.is_over(bearer) => ",error=\"invalid_token\"",
            Some(known) if needed.iter().all(|grant| known.grants.contains(grant)) => {
                known.used += 1;
                return None;
            }
            Some(_) => ",error=\"insufficient_scope\"",
            None if token.is_some() => ",error=\"invalid_token\"",
            None => "",
        };
        let scope = match scopes(needed) {
            scopes if scopes.is_empty() || bearer.challenge == Challenge::WithoutScope => {
                String::new()
            }
            scopes => format!(",scope=\"{}\"", scopes.join(" ")),
        };
        let realm = &self.realm;
        let plain = format!("Bearer realm=\"{realm}\",service=\"test\"{scope}{error}");
        Some(match bearer.challenge {
            Challenge::Plain | Challenge::WithoutScope => unauthorized(&plain),
            Challenge::Careless => {
                unauthorized(&format!("bEARER  Realm={realm} , SERVICE = \"test\"{scope},"))
            }
            Challenge::BehindBasic => unauthorized(&format!("Basic realm=\"a, b\", {plain}")),
            Challenge::SecondHeader => {
                let mut response = unauthorized("Negotiate");
                let value = HeaderValue::from_str(&plain).expect("a challenge is a header value");
                response.headers_mut().append(header::WWW_AUTHENTICATE, value);
                response
            }
        })
    }

    /// Gives a token.
    pub(super) async fn token(&self, request: Request) -> Response {
        let Auth::Bearer(bearer) = &self.auth else { return StatusCode::NOT_FOUND.into_response() };
        let (head, body) = request.into_parts();
        let body = to_bytes(body, 1 << 16).await.unwrap_or_default();
        let query = head.uri.query().unwrap_or("").as_bytes();
        let form = head.method == Method::POST;
        let fields: Vec<(String, String)> =
            form_urlencoded::parse(if form { &body } else { query }).into_owned().collect();
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, v)| v.clone());
        let identity = field("refresh_token");
        let given = basic(&head.headers).or_else(|| field("username").zip(field("password")));
        let known = given.is_some() && given == bearer.user
            || identity.is_some() && identity == bearer.identity;
        if bearer.only_post && !form {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let nobody = given.is_none() && identity.is_none();
        if !known && !(nobody && (bearer.user.is_none() || bearer.anonymous_pull)) {
            return unauthorized("Basic realm=\"test\"");
        }
        let asked: Vec<String> = fields
            .iter()
            .filter(|(key, _)| key == "scope")
            .flat_map(|(_, scopes)| scopes.split_whitespace().map(str::to_owned))
            .collect();
        let only_pull = nobody && bearer.user.is_some();
        self.issue(bearer, asked, only_pull)
    }

    fn issue(&self, bearer: &Bearer, asked: Vec<String>, only_pull: bool) -> Response {
        let mut grants = BTreeSet::new();
        for scope in &asked {
            let Some((name, actions)) =
                scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'))
            else {
                continue;
            };
            let actions = actions.split(',').filter(|action| !only_pull || *action == "pull");
            grants.extend(actions.map(|action| (name.to_owned(), action.to_owned())));
        }
        let mut issued = self.lock();
        let repositories: BTreeSet<&str> = grants.iter().map(|(name, _)| name.as_str()).collect();
        let padding = "x".repeat(bearer.padding * repositories.len());
        let token = format!("token-{}{padding}", issued.tokens.len());
        let end = Instant::now() + bearer.lifetime;
        issued.tokens.insert(token.clone(), Token { grants, end, used: 0 });
        issued.exchanges.push(asked);
        let mut body = serde_json::json!({ "token": token, "access_token": token });
        if bearer.tells_lifetime {
            body["expires_in"] = bearer.lifetime.as_secs().into();
        }
        ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}

impl Token {
    fn is_over(&self, bearer: &Bearer) -> bool {
        self.end <= Instant::now() || bearer.uses.is_some_and(|uses| self.used >= uses)
    }
}

/// What a request needs: also the right to pull from where it mounts.
fn needed(kind: Kind, request: &Request) -> Vec<Grant> {
    let Ok(Route::Repository(name, _)) = Route::parse(request.uri().path()) else {
        return Vec::new();
    };
    let grant = |action: &str| (name.to_string(), action.to_owned());
    let mut needed = match request.method().as_str() {
        "GET" | "HEAD" if kind != Kind::UploadStatus => vec![grant("pull")],
        "DELETE" if kind != Kind::UploadCancel => vec![grant("delete")],
        _ => vec![grant("pull"), grant("push")],
    };
    let query = request.uri().query().unwrap_or("").as_bytes();
    let from = form_urlencoded::parse(query).find(|(key, _)| key == "from");
    if let (Kind::Mount, Some((_, from))) = (kind, from) {
        needed.push((from.into_owned(), "pull".to_owned()));
    }
    needed
}

/// Grants as scopes, one a repository.
fn scopes(grants: &[Grant]) -> Vec<String> {
    let mut scopes: Vec<(String, String)> = Vec::new();
    for (name, action) in grants {
        match scopes.iter_mut().find(|(known, _)| known == name) {
            Some((_, actions)) => *actions = format!("{actions},{action}"),
            None => scopes.push((name.clone(), action.clone())),
        }
    }
    scopes.into_iter().map(|(name, actions)| format!("repository:{name}:{actions}")).collect()
}

fn text(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = STANDARD.decode(text(headers)?.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(decoded).ok()?;
    pair.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn unauthorized(challenge: &str) -> Response {
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    let headers = [(header::WWW_AUTHENTICATE, challenge)];
    (StatusCode::UNAUTHORIZED, headers, body).into_response()
}
