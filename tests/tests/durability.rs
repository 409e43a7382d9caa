//! What the registry acknowledged is there after it was killed, and nothing broken beside it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use airlift_oci::types::{Digest, media};
use airlift_serve::storage::Directory;
use airlift_serve::{Options, Server};
use airlift_tests::image::Layer;
use reqwest::{Client, StatusCode};

const DIRECTORY: &str = "AIRLIFT_TEST_DIRECTORY";

/// Not a test: the server that the test below starts as a process of its own, and kills.
#[tokio::test]
#[ignore = "run by another test"]
async fn server() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let storage = Arc::new(Directory::open(Path::new(&directory)).unwrap());
    let address = ([127, 0, 0, 1], 0).into();
    let server = Server::bind(address, storage, Options::default()).await.unwrap();
    println!("listening on http://{}", server.local_addr().unwrap());
    server.run(std::future::pending()).await.unwrap();
}

/// The server as a process, killed when it is dropped.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(directory: &Path) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["server", "--exact", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let line = lines.find(|line| line.contains("listening on ")).unwrap();
        let url = line.split("listening on ").nth(1).unwrap().to_owned();
        Process { child, url }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Pushes images until the server is gone; the digests of the manifests that it acknowledged.
async fn push(url: String, client: Client, seeds: std::ops::Range<u64>) -> Vec<(String, Digest)> {
    let mut acknowledged = Vec::new();
    for seed in seeds {
        let blob = Layer::new(seed, 40_000).piece(media::OCTET_STREAM);
        let digest = &blob.descriptor().digest;
        let to = format!("{url}/v2/a/b/blobs/uploads/?digest={digest}");
        let pushed = client.post(to).body(blob.bytes()).send().await;
        let Ok(StatusCode::CREATED) = pushed.map(|answer| answer.status()) else { break };
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[]}}"#,
            media::OCI_MANIFEST,
            serde_json::to_string(blob.descriptor()).unwrap()
        );
        let (tag, digest) = (format!("t{seed}"), Digest::of(manifest.as_bytes()));
        let to = format!("{url}/v2/a/b/manifests/{tag}");
        let put = client.put(to).header("content-type", media::OCI_MANIFEST).body(manifest);
        let Ok(StatusCode::CREATED) = put.send().await.map(|answer| answer.status()) else { break };
        acknowledged.push((tag, digest));
    }
    acknowledged
}

/// Every file under `blobs` has the digest that it is named after.
fn check_names(directory: &Path) {
    for file in std::fs::read_dir(directory.join("a/b/blobs/sha256")).unwrap() {
        let path = file.unwrap().path();
        let digest = Digest::of(&std::fs::read(&path).unwrap());
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), digest.hex());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_registry_keeps_what_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..4_u64 {
        let process = Process::start(directory.path());
        let mut pushes = tokio::task::JoinSet::new();
        for lane in 0..3 {
            let start = round * 10_000 + lane * 1000;
            pushes.spawn(push(process.url.clone(), client.clone(), start..start + 1000));
        }
        // Wherever the pushes are when some have been acknowledged.
        let tags = format!("{}/v2/a/b/tags/list?n=1000", process.url);
        loop {
            let answer = client.get(&tags).send().await.unwrap().text().await.unwrap();
            if answer.matches("\"t").count() > acknowledged.len() + 5 {
                break;
            }
        }
        drop(process);
        while let Some(pushed) = pushes.join_next().await {
            acknowledged.extend(pushed.unwrap());
        }
        check_names(directory.path());
    }
    let process = Process::start(directory.path());
    assert!(acknowledged.len() >= 4);
    for (tag, digest) in acknowledged {
        let path = format!("{}/v2/a/b/manifests/{tag}", process.url);
        let answer = client.get(path).send().await.unwrap();
        assert_eq!(Digest::of(&answer.bytes().await.unwrap()), digest, "{tag}");
    }
}
