//! Hosts that mean harm, or are broken beyond the protocol: each is a bounded failure with a clear
//! error, and nothing secret goes where it does not belong.

use super::*;
use airlift_oci::registry::{Credential, Secret};
use airlift_tests::{Raw, Reply};
use std::time::Instant;

/// More than sockets and a limit of 4 MiB together take in.
const ENOUGH: u64 = 24 << 20;

/// Settings under which a host that stands still is given up soon.
fn short() -> Settings {
    let retries = Retries { attempts: 1, ..quick().retries };
    let stall_timeout = Duration::from_millis(200);
    Settings { retries, stall_timeout, answer_timeout: Duration::from_millis(600), ..quick() }
}

fn store(host: &Raw) -> Arc<RegistryStore> {
    client_with(short()).repository(host.name("a"))
}

fn head(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
}

/// What the verbs ask of a source: each of it fails, and within a bound of time.
async fn each_fails(host: &Raw) -> Vec<String> {
    let (blob, small, hints, begun) = (large(), small(), absent(), Instant::now());
    let (tag, digest) = (by_tag("v1"), blob.descriptor().digest.clone());
    // Each by itself, so that what one learns is not known to the next.
    let [one, two, three, four, five, six] = std::array::from_fn(|_| store(host));
    let (fetched, tags, referrers, little, much, put) = tokio::join!(
        one.fetch(&tag),
        two.tags(),
        three.referrers(&digest),
        read(&*four, &small),
        read(&*five, &blob),
        six.put(&small, &hints),
    );
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let errors = [
        fetched.unwrap_err(),
        tags.unwrap_err(),
        referrers.unwrap_err(),
        little.unwrap_err(),
        much.unwrap_err(),
        put.unwrap_err(),
    ];
    errors.iter().map(|error| chain(error)).collect()
}

#[tokio::test]
async fn an_endless_body_is_read_no_further_than_it_may_be() {
    let host = Raw::start(|_| {
        let head = head("Content-Type: application/vnd.oci.image.manifest.v1+json\r\n");
        Raw::then_endless(head, " ")
    })
    .await;
    let store = store(&host);
    let error = store.fetch(&by_tag("v1")).await.unwrap_err();
    assert!(chain(&error).contains("4 MiB"), "{}", chain(&error));
    for blob in [small(), large()] {
        let error = read(&*store, &blob).await.unwrap_err();
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::Size { .. } | ErrorKind::Digest { .. }), "{error}");
    }
    let error = store.referrers(&small().descriptor().digest).await.unwrap_err();
    assert!(chain(&error).contains("4 MiB"), "{}", chain(&error));
    assert!(host.sent() < 5 * ENOUGH, "{}", host.sent());
}

#[tokio::test]
async fn a_manifest_that_says_it_is_huge_is_not_read() {
    let lines = "Content-Length: 1073741824\r\nContent-Type: application/json\r\n";
    let host = Raw::start(|_| Raw::then_endless(head(lines), "[")).await;
    let error = store(&host).fetch(&by_tag("v1")).await.unwrap_err();
    assert!(chain(&error).contains("1073741824"), "{}", chain(&error));
    assert!(host.sent() < ENOUGH, "{}", host.sent());
}

#[tokio::test]
async fn an_explanation_that_never_ends_is_cut_short() {
    let refusal = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n";
    let host = Raw::start(|_| Raw::then_endless(refusal.to_owned(), "no ")).await;
    for error in each_fails(&host).await {
        assert!(error.len() < 1000, "{error}");
    }
    assert!(host.sent() < 8 * ENOUGH, "{}", host.sent());
}

#[tokio::test]
async fn headers_without_end_are_given_up() {
    let many = Raw::start(|_| Raw::then_endless("HTTP/1.1 200 OK\r\n".into(), "X-A: b\r\n")).await;
    let long = Raw::start(|_| Raw::then_endless("HTTP/1.1 200 OK\r\nX-A: ".into(), "b")).await;
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let hints = Raw::start(|_| Raw::then_endless(String::new(), early)).await;
    for host in [many, long, hints] {
        each_fails(&host).await;
    }
}

#[tokio::test]
async fn answers_that_drip_are_given_up() {
    let drop = Duration::from_millis(40);
    let slow_head = Raw::start(move |_| Raw::drip("HTTP/1.1 200 OK\r\n".into(), "X", drop)).await;
    let body = head("Content-Length: 1500000\r\nContent-Type: application/json\r\n");
    let slow_body = Raw::start(move |_| Raw::drip(body.clone(), " ", drop)).await;
    for host in [slow_head, slow_body] {
        for error in each_fails(&host).await {
            assert!(!error.is_empty());
        }
    }
}

#[tokio::test]
async fn what_is_no_http_is_an_error() {
    for answer in [
        "",
        "\r\n\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 999999 Much\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        "HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ] {
        let host = Raw::start(move |_| Raw::once(answer)).await;
        for error in each_fails(&host).await {
            assert!(error.contains(&host.addr().to_string()), "{answer:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_length_that_is_a_lie_is_found_out() {
    let body = String::from_utf8(vec![b'x'; 1000]).unwrap();
    for length in [999, 1001, 5_000_000_000_u64] {
        let answer = format!("{}{body}", head(&format!("Content-Length: {length}\r\n")));
        let host = Raw::start(move |_| Raw::once(&answer)).await;
        for blob in [small(), large()] {
            let error = read(&*store(&host), &blob).await.unwrap_err();
            assert!(!error.is_not_found(), "{length}: {error}");
        }
    }
}

#[tokio::test]
async fn content_that_is_squeezed_is_not_unpacked() {
    // A gzip member of much more than it looks like, and nothing that was asked for.
    let mut squeezed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut squeezed, &vec![0; 64 << 20]).unwrap();
    let body = squeezed.finish().unwrap();
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        let lines = format!("Content-Encoding: {encoding}\r\nContent-Length: {}\r\n", body.len());
        let answer = [head(&lines).into_bytes(), body.clone()].concat();
        let host = Raw::start(move |request| {
            assert!(!request.to_ascii_lowercase().contains("accept-encoding"), "{request}");
            Raw::bytes(&answer)
        })
        .await;
        let blob = Watched::new(bytes(5, body.len()));
        let named = format!("Content-Encoding: {encoding},");
        let error = read(&*store(&host), &blob).await.unwrap_err();
        assert!(error.to_string().contains(&named), "{encoding}: {error}");
        let error = store(&host).fetch(&by_tag("v1")).await.unwrap_err();
        assert!(error.to_string().contains(&named), "{encoding}: {error}");
        assert_eq!(host.requests().len(), 2, "what is packed is asked for once");
        // Kept that way, it is what was asked for.
        let kept = InMemory::new(media::OCTET_STREAM, body.clone().into());
        let read = store(&host).open(kept.descriptor(), 0).await.unwrap().read_all().await;
        assert_eq!(read.unwrap(), body);
    }
}

#[tokio::test]
async fn json_that_is_nested_deeply_is_malformed() {
    let deep =
        ["[", r#"{"a":"#, r#"{"manifests":["#, r#"{"errors":["#].map(|open| open.repeat(10_000));
    for body in deep {
        for media_type in [media::OCI_MANIFEST, media::OCI_INDEX, "application/json"] {
            let lines = format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
            let answer = head(&lines) + &body;
            let host = Raw::start(move |_| Raw::once(&answer)).await;
            let store = store(&host);
            let error = store.fetch(&by_tag("v1")).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Manifest(_)), "{error}");
            assert!(chain(&store.tags().await.unwrap_err()).contains("malformed"));
            let digest = small().descriptor().digest.clone();
            assert!(chain(&store.referrers(&digest).await.unwrap_err()).contains("malformed"));
        }
    }
}

#[tokio::test]
async fn pages_without_end_are_given_up() {
    let number = Arc::new(Mutex::new(0));
    let next = move |list: &str| {
        let mut number = number.lock().unwrap();
        *number += 1;
        let lines = format!(
            "Content-Type: application/json\r\nLink: <?last={number}>; rel=\"next\"\r\nContent-Length: {}\r\n",
            list.len()
        );
        head(&lines) + list
    };
    let host = Raw::start(move |request| {
        let list =
            if request.contains("/tags/") { r#"{"tags":["a"]}"# } else { r#"{"manifests":[]}"# };
        Raw::kept(&next(list))
    })
    .await;
    let error = store(&host).tags().await.unwrap_err();
    assert!(error.to_string().contains("without end"), "{error}");
    let error = store(&host).referrers(&small().descriptor().digest).await.unwrap_err();
    assert!(error.to_string().contains("without end"), "{error}");
}

/// A store with credentials for this host alone.
fn with_secret(host: &Raw) -> Arc<RegistryStore> {
    let mut settings = short();
    let password = Secret::new("hunter2");
    let credential = Credential::Basic { username: "u".to_owned(), password };
    settings.credentials.fixed.insert(host.addr().to_string(), credential);
    client_with(settings).repository(host.name("a"))
}

#[tokio::test]
async fn nothing_secret_follows_a_redirect_to_another_host() {
    let other =
        Raw::start(|_| Raw::once("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")).await;
    for status in [301, 302, 303, 307, 308] {
        let there = other.addr();
        let host = Raw::start(move |request| {
            Raw::once(&if request.to_ascii_lowercase().contains("authorization: basic") {
                format!("HTTP/1.1 {status} Go\r\nLocation: http://u:p@{there}/x?y\r\nContent-Length: 0\r\n\r\n")
            } else {
                "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n".to_owned()
            })
        })
        .await;
        let store = with_secret(&host);
        store.fetch(&by_tag("v1")).await.unwrap_err();
        read(&*store, &large()).await.unwrap_err();
        store.tags().await.unwrap_err();
        store.put(&small(), &absent()).await.unwrap_err();
    }
    assert!(!other.requests().is_empty());
    for request in other.requests() {
        let request = request.to_ascii_lowercase();
        // What the URL itself holds is the redirecting host's own.
        assert!(!request.contains("dtpodw50zxiy") && !request.contains("hunter2"), "{request}");
    }
}

#[tokio::test]
async fn what_an_explanation_repeats_of_our_secrets_is_not_shown() {
    /// Answers that say what they were asked with.
    fn echo(request: &str, status: &str, encoded: &str) -> Reply {
        let header =
            request.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization"));
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
        let text = format!("you sent {} ({encoded}) and {body}", header.unwrap_or("nothing"));
        Raw::once(&format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{text}", text.len()))
    }
    let says_no = |challenge: &str| {
        Raw::once(&format!(
            "HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    let has = |request: &str, text: &str| request.to_ascii_lowercase().contains(text);
    for status in ["400 Bad", "401 No", "403 No", "404 None", "500 Broken"] {
        // User and password, shown as they came and decoded.
        let basic = Raw::start(move |request| {
            if has(request, "authorization: basic") {
                echo(request, status, "u:hunter2")
            } else {
                says_no("Basic")
            }
        });
        // The token server refuses; or it grants, and the registry shows the token.
        let refusing = Raw::start(move |request| {
            if request.contains("/token") {
                echo(request, status, "hunter2")
            } else {
                says_no("Bearer realm=\"/token\"")
            }
        });
        let granting = Raw::start(move |request| {
            if request.contains("/token") {
                let token = r#"{"token":"dtpodw50zxiy"}"#;
                return Raw::once(&format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{token}",
                    token.len()
                ));
            }
            if has(request, "authorization: bearer") {
                echo(request, status, "dtpodw50zxiy")
            } else {
                says_no("Bearer realm=\"/token\"")
            }
        });
        for host in [basic.await, refusing.await, granting.await] {
            let store = with_secret(&host);
            for error in [
                store.fetch(&by_tag("v1")).await.unwrap_err(),
                store.put(&small(), &absent()).await.unwrap_err(),
            ] {
                let text =
                    format!("{} {error:?}", airlift_oci::store::chain(&error)).to_ascii_lowercase();
                assert!(!text.contains("hunter2") && !text.contains("dtpodw50zxiy"), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn uploads_are_not_sent_to_where_no_upload_can_be() {
    for location in [
        "javascript:alert(1)",
        "ftp://example.com/x",
        "http://",
        "http://[::bad",
        "file:///etc/passwd",
        "http://example.com:99999/",
    ] {
        let answer =
            format!("HTTP/1.1 202 Yes\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let host = Raw::start(move |_| Raw::once(&answer)).await;
        let error = store(&host).put(&small(), &absent()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Protocol(_)), "{location}: {error}");
    }
    // A line break in it ends the header for whoever parses, and cannot be sent on.
    for location in ["/v2/a%0d%0aX-Evil:%20yes", "/v2/a\tb", "/v2/\u{7f}"] {
        let answer =
            format!("HTTP/1.1 202 Yes\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let host = Raw::start(move |request| {
            assert!(!request.contains("\nX-Evil"), "{request}");
            Raw::once(if request.starts_with("POST") {
                &answer
            } else {
                "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"
            })
        })
        .await;
        store(&host).put(&small(), &absent()).await.unwrap_err();
    }
}

#[tokio::test]
async fn tokens_that_no_header_holds_are_refused() {
    for token in [r"a\r\nX-Evil: yes", r"\u0000", "", r"\u007f", r"a\nb"] {
        let body = format!(r#"{{"token":"{token}"}}"#);
        let given = head(&format!("Content-Length: {}\r\n", body.len())) + &body;
        let host = Raw::start(move |request| {
            assert!(!request.contains("\nX-Evil"), "{request}");
            Raw::once(&if request.starts_with("GET /token") {
                given.clone()
            } else {
                "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"/token\"\r\nContent-Length: 0\r\n\r\n"
                    .to_owned()
            })
        })
        .await;
        let error = store(&host).fetch(&by_tag("v1")).await.unwrap_err();
        assert!(chain(&error).contains("no usable token"), "{token}: {}", chain(&error));
        assert!(host.requests().len() <= 4, "{:?}", host.requests());
    }
}

#[tokio::test]
async fn what_a_host_asks_to_wait_is_bounded_or_means_nothing() {
    for (wait, said) in [
        ("999999999", "exceeds the limit"),
        ("99999999999999999999", "exceeds the limit"),
        ("1.8446744073709550e19", "exceeds the limit"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "exceeds the limit"),
        ("-1", "429"),
        ("-99999999999999999999", "429"),
        ("NaN", "429"),
        ("inf", "429"),
        ("1e999", "429"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "429"),
        ("soon", "429"),
        ("0", "429"),
    ] {
        let answer = format!(
            "HTTP/1.1 429 Slow\r\nRetry-After: {wait}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let host = Raw::start(move |_| Raw::once(&answer)).await;
        let begun = Instant::now();
        let error = store(&host).fetch(&by_tag("v1")).await.unwrap_err();
        assert!(error.to_string().contains(said), "{wait}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{wait}: {:?}", begun.elapsed());
    }
}
