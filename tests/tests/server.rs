//! The server as a server: stopping, slow and hostile clients, registries that can only be read.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use airlift_oci::store::{ArchiveStore, LayoutStore};
use airlift_oci::types::Digest;
use airlift_serve::access::{Access, Users};
use airlift_serve::storage::{Directory, Fixed, Memory, Repositories, Repository};
use airlift_serve::{Options, Server, Tls, TlsError};
use airlift_tests::image;
use reqwest::{Client, Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A server until it is stopped or dropped.
struct Running {
    addr: SocketAddr,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<std::io::Result<()>>,
}

async fn start(storage: Arc<dyn Repositories>, options: Options) -> Running {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), storage, options).await.unwrap();
    let addr = server.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(async { stopped.await.unwrap_or_default() }));
    Running { addr, client: Client::new(), stop: Some(stop), tasks }
}

impl Running {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Sends bytes as they are; everything that comes back until the connection ends.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

async fn open_upload(server: &Running, name: &str) -> String {
    let path = format!("/v2/{name}/blobs/uploads/");
    let answer = server.client.post(server.url(&path)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// A request whose body is sent bit by bit: its head, for `length` bytes.
fn head(method: &str, path: &str, length: usize) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
}

async fn read_status(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).lines().next().unwrap_or("").to_owned()
}

#[tokio::test]
async fn a_stopped_server_finishes_what_is_under_way_and_takes_nothing_new() {
    let mut server = start(Arc::new(Memory::new()), Options::default()).await;
    let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(b"0123456789"));
    let mut upload = TcpStream::connect(server.addr).await.unwrap();
    upload.write_all(head("POST", &path, 10).as_bytes()).await.unwrap();
    upload.write_all(b"01234").await.unwrap();
    // The request is under way once its repository was made.
    while !server.raw(LIST).await.contains("\"a\"") {}
    server.stop.take().unwrap().send(()).unwrap();
    while TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    upload.write_all(b"56789").await.unwrap();
    assert_eq!(read_status(&mut upload).await, "HTTP/1.1 201 Created");
    server.tasks.join_next().await.unwrap().unwrap().unwrap();
}

const LIST: &str = "GET /v2/_catalog HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_server_that_was_told_to_stop_does_not_wait_for_ever() {
    let options = Options { grace: Duration::from_millis(50), ..Options::default() };
    let mut server = start(Arc::new(Memory::new()), options).await;
    let mut upload = TcpStream::connect(server.addr).await.unwrap();
    let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(b"x"));
    upload.write_all(head("POST", &path, 10).as_bytes()).await.unwrap();
    while !server.raw(LIST).await.contains("\"a\"") {}
    server.stop.take().unwrap().send(()).unwrap();
    server.tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(upload.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_sent_away() {
    let options = Options {
        body_idle: Duration::from_millis(50),
        head: Duration::from_millis(50),
        ..Options::default()
    };
    let server = start(Arc::new(Memory::new()), options).await;
    let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(b"x"));
    let silent = server.raw(&head("POST", &path, 10)).await;
    assert!(silent.starts_with("HTTP/1.1 408"), "{silent}");
    let half_a_head = server.raw("GET /v2/ HTTP/1.1\r\nHost:").await;
    assert!(!half_a_head.contains("200"), "{half_a_head}");
}

#[tokio::test]
async fn a_client_that_comes_back_takes_its_upload_over() {
    let server = start(Arc::new(Memory::new()), Options::default()).await;
    let upload = open_upload(&server, "a").await;
    let mut gone = TcpStream::connect(server.addr).await.unwrap();
    gone.write_all(head("PATCH", &upload, 100).as_bytes()).await.unwrap();
    gone.write_all(b"01234").await.unwrap();
    // The old connection stays open, as after a cable was pulled.
    let end = format!("{}?digest={}", server.url(&upload), Digest::of(b"0123456789"));
    let answer = loop {
        let request = server.client.put(&end).header("content-range", "5-9").body("56789");
        let answer = request.send().await.unwrap();
        if answer.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            break answer;
        }
    };
    assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.text().await);
    assert!(read_status(&mut gone).await.starts_with("HTTP/1.1 4"));
}

#[tokio::test]
async fn uploads_are_bounded_in_number_and_time() {
    let options = Options {
        upload_sessions: 2,
        upload_idle: Duration::from_millis(200),
        ..Options::default()
    };
    let server = start(Arc::new(Memory::new()), options).await;
    for _ in 0..2 {
        open_upload(&server, "a").await;
    }
    let post = || server.client.post(server.url("/v2/a/blobs/uploads/")).send();
    assert_eq!(post().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    while post().await.unwrap().status() != StatusCode::ACCEPTED {}
}

#[tokio::test]
async fn no_name_leaves_the_directory() {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("served");
    let storage = Arc::new(Directory::open(&root).unwrap());
    let server = start(storage, Options::default()).await;
    for name in [
        "..",
        "../x",
        "a/../../x",
        "%2e%2e/x",
        "..%2fx",
        "a%2f..%2f..%2fx",
        "/etc",
        "a//b",
        "a/./b",
        "a%00",
        "a%0d%0aX-Evil:%201",
        "A",
        ".hidden",
        "a\\..\\x",
        "blobs",
        "a/blobs/sha256",
        "a/ingest",
        "index.json",
        "a/oci-layout",
    ] {
        for request in [
            format!("POST /v2/{name}/blobs/uploads/"),
            format!("PUT /v2/{name}/manifests/t"),
            format!("GET /v2/{name}/manifests/t"),
            format!("GET /v2/a/manifests/{name}"),
            format!("GET /v2/a/blobs/{name}"),
            format!("PATCH /v2/a/blobs/uploads/{name}"),
            format!("POST /v2/a/blobs/uploads/?from={name}&mount={}", Digest::of(b"x")),
        ] {
            let head = "Host: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
            let answer = server.raw(&format!("{request} HTTP/1.1\r\n{head}")).await;
            let fine = request.contains("from=") && answer.starts_with("HTTP/1.1 202");
            assert!(fine || answer.starts_with("HTTP/1.1 4"), "{request}: {answer}");
            assert!(!answer.contains("\nX-Evil"), "{request}: {answer}");
        }
    }
    let names = |path: &std::path::Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names(outside.path()), ["served"]);
    assert_eq!(names(&root), ["a"]);
}

#[tokio::test]
async fn ambiguous_requests_are_not_served_twice() {
    let server = start(Arc::new(Memory::new()), Options::default()).await;
    let smuggled = "GET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n";
    for framing in [
        "Content-Length: 5\r\nContent-Length: 60\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let head = format!("POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n{framing}\r\n");
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(format!("{head}0\r\n\r\n{smuggled}").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        let answers = answer.matches("HTTP/1.1 ").count();
        // Either the request is refused, or the framing that rules (RFC 9112, 6.3) is followed.
        let refused = answer.starts_with("HTTP/1.1 400") && answers == 1;
        assert!(refused || framing.contains("chunked\r\n") && answers <= 2, "{framing}: {answer}");
    }
}

#[tokio::test]
async fn an_archive_is_served_as_it_is_under_names_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (layout, file) = (directory.path().join("layout"), directory.path().join("archive.tar"));
    let graph = image::nested(1);
    graph.push(&LayoutStore::create(&layout).unwrap(), Some("v1")).await;
    let mut tar = tar::Builder::new(std::fs::File::create(&file).unwrap());
    tar.append_dir_all("", &layout).unwrap();
    tar.into_inner().unwrap();
    let store: Arc<dyn Repository> = Arc::new(ArchiveStore::open(&file).unwrap());
    let root = graph.root().digest();
    let names = [("library/nginx", "1.27"), ("library/nginx", "latest"), ("other", "x")];
    let names =
        names.map(|(name, tag)| (name.parse().unwrap(), tag.parse().unwrap(), root.clone()));
    let server = start(Arc::new(Fixed::of_names(&store, names)), Options::default()).await;
    let get = async |path: &str| server.client.get(server.url(path)).send().await.unwrap();
    let manifest = get("/v2/library/nginx/manifests/1.27").await;
    assert_eq!(manifest.bytes().await.unwrap(), graph.root().raw());
    assert_eq!(get("/v2/other/manifests/1.27").await.status(), StatusCode::NOT_FOUND);
    let tags = get("/v2/library/nginx/tags/list").await.text().await.unwrap();
    assert_eq!(tags, r#"{"name":"library/nginx","tags":["1.27","latest"]}"#);
    let blob = &graph.blobs()[0];
    let request = server
        .client
        .get(server.url(&format!("/v2/other/blobs/{}", blob.descriptor().digest)))
        .header("range", "bytes=3-");
    let part = request.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), blob.bytes().slice(3..));
    for path in ["/v2/other/blobs/uploads/", "/v2/new/blobs/uploads/"] {
        let answer = server.client.post(server.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    let delete = server.client.delete(server.url("/v2/other/manifests/x")).send().await.unwrap();
    assert_eq!(delete.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_layout_is_served_as_the_repository_named_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("Medium");
    let graph = image::simple(1);
    graph.push(&LayoutStore::create(&layout).unwrap(), Some("v1")).await;
    let server = start(Arc::new(Directory::open(&layout).unwrap()), Options::default()).await;
    let get = async |path: &str| {
        server.client.get(server.url(path)).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(get("/v2/_catalog").await, r#"{"repositories":["medium"]}"#);
    assert_eq!(get("/v2/medium/manifests/v1").await.as_bytes(), graph.root().raw().as_ref());
}

/// A password's hash of the lowest cost.
fn htpasswd(users: &[(&str, &str)]) -> Users {
    let line = |(name, password): &(&str, &str)| {
        format!("{name}:{}\n", bcrypt::hash(password, 4).unwrap())
    };
    Users::parse(&users.iter().map(line).collect::<String>()).unwrap()
}

#[tokio::test]
async fn users_do_what_their_rules_say_and_learn_of_nothing_else() {
    let users = htpasswd(&[("ci", "secret"), ("dev", "hunter2")]);
    let rules = ["ci:read-write:team/**", "dev:read:team/*", "anonymous:read:public/*"];
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    let access = Arc::new(Access::new(Some(users), rules).unwrap());
    let storage = Arc::new(Memory::new());
    for name in ["team/a", "team/deep/b", "public/c", "hidden/d"] {
        image::simple(1).push(storage.store(&name.parse().unwrap()).as_ref(), Some("v1")).await;
    }
    let server = start(storage, Options { access, ..Options::default() }).await;
    let ask = async |method: Method, path: &str, user: Option<(&str, &str)>| {
        let request = server.client.request(method, server.url(path));
        let request = match user {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        };
        request.send().await.unwrap()
    };
    let (ci, dev) = (Some(("ci", "secret")), Some(("dev", "hunter2")));
    let guess = Some(("dev", "secret"));
    for (method, path, user, status) in [
        (Method::GET, "/v2/", None, 200),
        (Method::GET, "/v2/", guess, 401),
        (Method::GET, "/v2/public/c/manifests/v1", None, 200),
        (Method::GET, "/v2/public/c/manifests/v1", guess, 401),
        (Method::GET, "/v2/team/a/manifests/v1", None, 401),
        (Method::HEAD, "/v2/team/a/manifests/v1", None, 401),
        (Method::GET, "/v2/team/a/manifests/v1", dev, 200),
        (Method::GET, "/v2/team/deep/b/manifests/v1", dev, 403),
        (Method::GET, "/v2/none/tags/list", dev, 403),
        (Method::POST, "/v2/team/a/blobs/uploads/", dev, 403),
        (Method::POST, "/v2/team/a/blobs/uploads/", ci, 202),
        (Method::POST, "/v2/public/c/blobs/uploads/", ci, 403),
        (Method::POST, "/v2/public/c/blobs/uploads/", None, 401),
        (Method::DELETE, "/v2/team/deep/b/manifests/v1", dev, 403),
        (Method::DELETE, "/v2/team/deep/b/manifests/v1", ci, 202),
    ] {
        let answer = ask(method.clone(), path, user).await;
        assert_eq!(answer.status(), status, "{method} {path} {user:?}");
        let challenge = answer.headers().get("www-authenticate");
        assert_eq!(challenge.is_some(), status == 401, "{method} {path} {user:?}");
        let body = answer.text().await.unwrap();
        let code = [(401, "UNAUTHORIZED"), (403, "DENIED")].into_iter().find(|of| of.0 == status);
        assert!(
            method == Method::HEAD || code.is_none_or(|(_, code)| body.contains(code)),
            "{body}"
        );
    }
    let catalog = async |user| {
        let answer = ask(Method::GET, "/v2/_catalog", user).await;
        answer.json::<serde_json::Value>().await.unwrap()["repositories"].clone()
    };
    assert_eq!(catalog(None).await, serde_json::json!(["public/c"]));
    assert_eq!(catalog(dev).await, serde_json::json!(["public/c", "team/a"]));
    // A mount is no way around: what one may not read is as if it were not there.
    let blob = image::simple(1).blobs()[0].descriptor().digest.clone();
    for (from, status) in [("hidden/d", 202), ("public/c", 201)] {
        let path = format!("/v2/team/new/blobs/uploads/?mount={blob}&from={from}");
        assert_eq!(ask(Method::POST, &path, ci).await.status(), status, "{from}");
    }
}

#[tokio::test]
async fn tls_is_spoken_and_nothing_else() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    assert!(matches!(Tls::from_pem(b"", key.as_bytes()), Err(TlsError::NoCertificate)));
    assert!(matches!(Tls::from_pem(certificate.as_bytes(), b"x"), Err(TlsError::Key(_))));
    let tls = Tls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let options = Options { head: Duration::from_millis(200), ..Options::default() };
    let address = ([127, 0, 0, 1], 0).into();
    let server = Server::bind(address, Arc::new(Memory::new()), options).await.unwrap();
    let port = server.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(server.with_tls(tls).run(std::future::pending()));
    let trusting = Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap()])
        .build()
        .unwrap();
    let url = format!("https://localhost:{port}/v2/a/blobs/uploads/?digest={}", Digest::of(b"x"));
    assert_eq!(trusting.post(url).body("x").send().await.unwrap().status(), StatusCode::CREATED);
    assert!(Client::new().get(format!("http://localhost:{port}/v2/")).send().await.is_err());
    // Who never begins with TLS is sent away.
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn slow_clients_make_room_for_fast_ones() {
    let options = Options { connections: 4, ..Options::default() };
    let server = start(Arc::new(Memory::new()), options).await;
    let upload = head("POST", &format!("/v2/a/blobs/uploads/?digest={}", Digest::of(b"x")), 99);
    let mut slow = Vec::new();
    for begin in [&*upload, &*upload, "GET /v2/ HTTP/1.1\r\nHost:", ""] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // Nothing of these ends by itself for half a minute, and there are no other places.
    let fast = tokio::time::timeout(Duration::from_secs(10), server.raw(LIST)).await.unwrap();
    assert!(fast.starts_with("HTTP/1.1 200"), "{fast}");
}

/// Clients that hold a connection each and send next to nothing over it: as many as the system lets
/// this process have on both sides.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_slow_connections_do_not_stop_a_fast_one() {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let count = files.map_or(3000, |files| files / 3).min(3000) as usize;
    let options = Options { connections: count + 10, ..Options::default() };
    let server = start(Arc::new(Memory::new()), options).await;
    let upload = head("POST", &format!("/v2/a/blobs/uploads/?digest={}", Digest::of(b"x")), 99);
    let mut slow = Vec::with_capacity(count);
    for number in 0..count {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let begin = [&*upload, "GET /v2/ HTTP/1.1\r\nHost:", "G", ""][number % 4];
        stream.write_all(begin.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for round in 0..5 {
        let fast = tokio::time::timeout(Duration::from_secs(20), server.raw(LIST)).await.unwrap();
        assert!(fast.starts_with("HTTP/1.1 200"), "{fast}");
        // Each of them sends one byte more, and loses nothing by it.
        for stream in slow.iter_mut().skip(round).step_by(4) {
            stream.write_all(b"x").await.unwrap();
        }
    }
}
