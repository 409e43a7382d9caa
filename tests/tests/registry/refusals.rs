//! Hosts that refuse: who we are is said as often as it takes, no more, and to nobody else.

use super::auth::{as_user, basic};
use super::*;
use airlift_oci::registry::{Credential, Secret};
use airlift_tests::{Raw, Reply};
use futures_util::future::join_all;

/// An answer with headers, each on a line of its own, and a body.
fn answer(status: &str, lines: &str, body: &str) -> Reply {
    let length = body.len();
    Raw::kept(&format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {length}\r\n\r\n{body}"))
}

fn says_no(challenge: &str) -> Reply {
    answer("401 No", &format!("WWW-Authenticate: {challenge}\r\n"), "")
}

fn has(request: &str, text: &str) -> bool {
    request.to_ascii_lowercase().contains(text)
}

/// A client with a credential for this host.
fn with(host: &Raw, credential: Credential) -> Client {
    let mut settings = quick();
    settings.credentials.fixed.insert(host.addr().to_string(), credential);
    client_with(settings)
}

fn count(host: &Raw, part: &str) -> usize {
    host.requests().iter().filter(|request| has(request, part)).count()
}

#[tokio::test]
async fn what_a_token_is_exchanged_for_follows_no_redirect_to_another_host() {
    for status in [307, 308] {
        for other_answer in ["200 OK", "404 None", "405 No", "501 No"] {
            let other = Raw::start(move |_| {
                answer(other_answer, "", r#"{"token":"t","access_token":"t"}"#)
            })
            .await;
            let there = other.addr();
            let host = Raw::start(move |request| {
                if has(request, "/token") {
                    answer(&format!("{status} Go"), &format!("Location: http://{there}/x\r\n"), "")
                } else {
                    says_no("Bearer realm=\"/token\",service=\"s\"")
                }
            })
            .await;
            let identity = Credential::Identity(Secret::new("hunter2"));
            for credential in [identity, basic("u", "hunter2")] {
                let is_identity = matches!(credential, Credential::Identity(_));
                let store = with(&host, credential).repository(host.name("a"));
                let said = chain(&store.fetch(&by_tag("v1")).await.unwrap_err());
                assert!(!said.contains("hunter2"), "{said}");
                if is_identity {
                    assert!(
                        said.contains("another host") && said.contains(&there.to_string()),
                        "{said}"
                    );
                }
            }
            assert_eq!(count(&host, "post /token"), 1, "that of the identity token");
            for request in other.requests() {
                assert!(!request.starts_with("POST"), "{request}");
                assert!(!has(&request, "authorization"), "{request}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_server_may_redirect_what_is_exchanged_within_its_host() {
    let host = Raw::start(|request| {
        // What is left of the body before stands in front of the next request's head.
        if has(request, "post /token2 ") {
            answer("200 OK", "", r#"{"token":"t"}"#)
        } else if has(request, "post /token ") {
            answer("308 Go", "Location: /token2\r\n", "")
        } else if has(request, "authorization: bearer t") {
            answer("200 OK", "Content-Type: application/json\r\n", r#"{"tags":["v1"]}"#)
        } else {
            says_no("Bearer realm=\"/token\"")
        }
    })
    .await;
    let credential = Credential::Identity(Secret::new("refresh"));
    let store = with(&host, credential).repository(host.name("a"));
    assert_eq!(store.tags().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_that_asks_for_something_else_each_time_is_not_followed() {
    let number = Arc::new(Mutex::new(0));
    for what in ["scope", "realm", "service", "scheme"] {
        let number = number.clone();
        let host = Raw::start(move |request| {
            if has(request, "/token") {
                return answer("200 OK", "", r#"{"token":"t"}"#);
            }
            let number = {
                let mut number = number.lock().unwrap();
                *number += 1;
                *number
            };
            says_no(&match what {
                "scope" => format!("Bearer realm=\"/token\",scope=\"repository:a:pull,n{number}\""),
                "realm" => format!("Bearer realm=\"/token?n={number}\""),
                "service" => format!("Bearer realm=\"/token\",service=\"{number}\""),
                _ if number % 2 == 0 => "Basic".to_owned(),
                _ => "Bearer realm=\"/token\"".to_owned(),
            })
        })
        .await;
        let store = with(&host, basic("u", "p")).repository(host.name("a"));
        let error = store.tags().await.unwrap_err();
        assert!(error.is_denied(), "{what}: {}", chain(&error));
        assert!(count(&host, "/v2/") <= 4, "{what}: {:?}", host.requests());
    }
}

#[tokio::test]
async fn a_repository_whose_tokens_are_refused_is_no_herd() {
    let plan = FaultPlan::none().auth(Auth::Bearer(Bearer { uses: Some(0), ..Bearer::default() }));
    let registry = TestRegistry::start(plan).await;
    let store = open(&registry);
    for error in join_all((0..60).map(|_| store.tags())).await {
        assert!(error.unwrap_err().is_denied());
    }
    let counts = registry.counts();
    assert!(counts.tags <= 61 && counts.token <= 4, "{} by {}", counts.tags, counts.token);
}

#[tokio::test]
async fn a_wrong_password_is_shown_a_few_times() {
    let plans = [Auth::basic("u", "right"), Auth::bearer("u", "right")];
    for auth in plans {
        let registry = TestRegistry::start(FaultPlan::none().auth(auth)).await;
        let mut settings = quick();
        settings.credentials.fixed.insert(registry.host(), basic("u", "hunter2"));
        let client = client_with(settings);
        let ask = |n: usize| client.repository(registry.name(&format!("r{n}")));
        let stores: Vec<_> = (0..30).map(ask).collect();
        for found in join_all(stores.iter().map(|store| store.tags())).await {
            let error = found.unwrap_err();
            assert!(error.is_denied() && !chain(&error).contains("hunter2"), "{}", chain(&error));
        }
        let error = ask(30).tags().await.unwrap_err();
        assert!(chain(&error).contains("not shown again"), "{}", chain(&error));
        let log = registry.log();
        let shown = log.iter().filter(|exchange| {
            exchange.header("authorization").is_some_and(|text| text.starts_with("Basic"))
        });
        assert_eq!(shown.count(), 3);
    }
}

#[tokio::test]
async fn a_password_that_is_refused_for_one_repository_is_good_for_others() {
    let refused = Fault::status(401).header("WWW-Authenticate", "Basic");
    let plan = FaultPlan::none().auth(Auth::basic("u", "p"));
    let plan = plan.on_path(Kind::BlobGet, "/b/", When::Always, refused);
    let registry = with_blob(plan, &small()).await;
    let mut settings = quick();
    settings.credentials.fixed.insert(registry.host(), basic("u", "p"));
    let client = client_with(settings);
    let [good, bad] = ["a", "b"].map(|name| client.repository(registry.name(name)));
    assert!(read(&*bad, &small()).await.unwrap_err().is_denied());
    read(&*good, &small()).await.unwrap();
    for _ in 0..5 {
        assert!(read(&*bad, &small()).await.unwrap_err().is_denied());
    }
    read(&*good, &small()).await.unwrap();
}

#[tokio::test]
async fn a_password_that_was_good_is_shown_after_a_refusal() {
    let refused = Fault::status(401).header("WWW-Authenticate", "Basic");
    let plan = FaultPlan::none().auth(Auth::basic("u", "p")).on_path(
        Kind::BlobGet,
        "/b/",
        When::Always,
        refused,
    );
    let registry = with_blob(plan, &small()).await;
    let mut settings = quick();
    settings.credentials.fixed.insert(registry.host(), basic("u", "p"));
    let client = client_with(settings);
    let [good, bad] = ["a", "b"].map(|name| client.repository(registry.name(name)));
    read(&*good, &small()).await.unwrap();
    assert!(read(&*bad, &small()).await.unwrap_err().is_denied());
    read(&*good, &small()).await.unwrap();
}

#[tokio::test]
async fn a_host_that_hides_what_is_private_is_asked_what_it_wants() {
    for (refusal, scheme) in
        [("404 None", "Basic"), ("403 No", "Basic"), ("404 None", "Bearer realm=\"/token\"")]
    {
        let hides = move |request: &str| {
            if has(request, "/token") {
                answer("200 OK", "", r#"{"token":"t"}"#)
            } else if has(request, "authorization: ") {
                let json = "Content-Type: application/json\r\n";
                answer("200 OK", json, r#"{"tags":["v1"]}"#)
            } else if has(request, "get /v2/ ") {
                says_no(scheme)
            } else {
                answer(refusal, "", "")
            }
        };
        let host = Raw::start(hides).await;
        let client = with(&host, basic("u", "p"));
        let names: Vec<_> =
            (0..5).map(|n| client.repository(host.name(&format!("r{n}")))).collect();
        for tags in join_all(names.iter().map(|store| store.tags())).await {
            assert_eq!(tags.unwrap(), ["v1".parse::<Tag>().unwrap()]);
        }
        assert_eq!(count(&host, "get /v2/ "), 1, "{refusal} {scheme}");
        // Without credentials there is nothing to say.
        let host = Raw::start(hides).await;
        client_with(quick()).repository(host.name("a")).tags().await.unwrap_err();
        assert_eq!(host.requests().len(), 1, "{refusal} {scheme}");
    }
}

#[tokio::test]
async fn an_open_host_is_asked_no_more_than_once_for_what_it_wants() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let store = as_user(&registry, "u", "p");
    for _ in 0..3 {
        store.fetch(&by_tag("v1")).await.unwrap_err();
    }
    assert!(store.resolve(&by_tag("v1")).await.unwrap_err().is_not_found());
    let counts = registry.counts();
    assert_eq!((counts.total(), counts.manifest_get, counts.manifest_head), (5, 3, 1));
}

#[tokio::test]
async fn tokens_as_some_servers_write_them() {
    for body in [
        r#"{"token":"t","access_token":null}"#,
        r#"{"token":null,"access_token":"t","expires_in":null}"#,
        r#"{"token":"t","expires_in":"300"}"#,
        r#"{"token":"t","expires_in":"soon"}"#,
        r#"{"token":"t","expires_in":1e30,"issued_at":7}"#,
    ] {
        let host = Raw::start(move |request| {
            if has(request, "/token") {
                answer("200 OK", "", body)
            } else if has(request, "authorization: bearer t") {
                answer("200 OK", "Content-Type: application/json\r\n", r#"{"tags":["v1"]}"#)
            } else {
                says_no("Bearer realm=\"/token\"")
            }
        })
        .await;
        let store = client_with(quick()).repository(host.name("a"));
        for _ in 0..3 {
            store.tags().await.unwrap();
        }
        assert_eq!(count(&host, "/token"), 1, "{body}");
    }
}

#[tokio::test]
async fn a_list_in_pages_is_bounded_as_a_whole() {
    // Each page is within its bound, and all of them bring something new.
    let number = Mutex::new(0);
    let host = Raw::start(move |_| {
        let number = {
            let mut number = number.lock().unwrap();
            *number += 1;
            *number
        };
        let digest = Digest::of(format!("{number}").as_bytes());
        let filler = "x".repeat(3 << 20);
        let body = format!(
            r#"{{"manifests":[{{"mediaType":"a/b","digest":"{digest}","size":1,"annotations":{{"a":"{filler}"}}}}]}}"#
        );
        let lines =
            format!("Content-Type: application/json\r\nLink: <?n={number}>; rel=\"next\"\r\n");
        answer("200 OK", &lines, &body)
    })
    .await;
    let store = client_with(quick()).repository(host.name("a"));
    let error = store.referrers(&small().descriptor().digest).await.unwrap_err();
    assert!(error.to_string().contains("16 MiB"), "{error}");
    assert!(host.requests().len() <= 6, "{}", host.requests().len());
}

#[tokio::test]
async fn a_manifest_that_nobody_says_is_stored_is_looked_for() {
    let graph = image::simple(1);
    // A gateway that answers everything with its own page.
    let page = Fault::status(200).header("Content-Type", "text/html").body("<html>hello</html>");
    let plan = [Kind::ManifestPut, Kind::ManifestHead, Kind::ManifestGet]
        .into_iter()
        .fold(FaultPlan::none(), |plan, kind| plan.on(kind, When::Always, page.clone()));
    let registry = TestRegistry::start(plan).await;
    for tag in [None, Some("v1".parse().unwrap())] {
        let error = open(&registry).put_manifest(graph.root(), tag.as_ref()).await.unwrap_err();
        let said = chain(&error);
        assert!(said.contains("200 OK (text/html)") && said.contains("not there"), "{said}");
    }
    // A page in place of the registry alone when it is written to.
    let plan = FaultPlan::none().on(Kind::ManifestPut, When::First(1), page.clone());
    let registry = TestRegistry::start(plan).await;
    let error = open(&registry).put_manifest(graph.root(), None).await.unwrap_err();
    assert!(chain(&error).contains("not there"), "{}", chain(&error));
    // One that stores it and says so in another way.
    graph.push(&*registry.store("a"), Some("v1")).await;
    let plan = FaultPlan::none().on(Kind::ManifestPut, When::Always, Fault::status(202));
    let registry = TestRegistry::over(registry.storage().clone(), plan).await;
    open(&registry).put_manifest(graph.root(), Some(&"v1".parse().unwrap())).await.unwrap();
    let counts = registry.counts();
    assert_eq!((counts.manifest_put, counts.manifest_head, counts.total()), (1, 1, 2));
}
