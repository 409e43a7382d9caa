//! What a kill leaves, and what garbage collection takes beside pushes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use airlift_oci::types::Digest;
use airlift_tests::image;
use reqwest::blocking::{Client, Response};

use super::Served;
use crate::harness::Place;

/// Pushes to a server as a client does that looks first.
#[derive(Clone)]
struct Pusher {
    client: Client,
    base: String,
}

impl Pusher {
    fn new(served: &Served, repository: &str) -> Self {
        let base = format!("http://{}/v2/{repository}", served.host);
        Pusher { client: Client::new(), base }
    }

    /// Pushes one image with a layer of its own and one that all share; whether the server said
    /// that it has it.
    fn push(&self, number: usize) -> Result<Option<Digest>, reqwest::Error> {
        let layer = vec![(number % 251) as u8; 200_000 + number];
        let mut named = Vec::new();
        for blob in [b"{}".to_vec(), vec![9; 500_000], layer] {
            let digest = Digest::of(&blob);
            named.push(serde_json::json!({
                "mediaType": "application/octet-stream", "digest": digest, "size": blob.len(),
            }));
            let url = format!("{}/blobs/{digest}", self.base);
            if self.client.head(&url).send()?.status().is_success() {
                continue;
            }
            let url = format!("{}/blobs/uploads/?digest={digest}", self.base);
            if !self.client.post(&url).body(blob).send()?.status().is_success() {
                return Ok(None);
            }
        }
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": named[0], "layers": named[1..],
        })
        .to_string();
        let url = format!("{}/manifests/t{number}", self.base);
        let request = self.client.put(&url).body(manifest.clone());
        let request = request.header("content-type", "application/vnd.oci.image.manifest.v1+json");
        let done = request.send()?.status().is_success();
        Ok(done.then(|| Digest::of(manifest.as_bytes())))
    }

    fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}/{path}", self.base)).send().expect("an answer")
    }

    /// Everything of an image is there and right.
    fn check(&self, number: usize, digest: &Digest) {
        let manifest = self.get(&format!("manifests/t{number}"));
        assert!(manifest.status().is_success(), "t{number}: {}", manifest.status());
        let raw = manifest.bytes().expect("whole");
        assert_eq!(Digest::of(&raw), *digest);
        let manifest: serde_json::Value = serde_json::from_slice(&raw).expect("JSON");
        let layers = manifest["layers"].as_array().expect("a list").iter();
        for named in layers.chain([&manifest["config"]]) {
            let digest = named["digest"].as_str().expect("text");
            let blob = self.get(&format!("blobs/{digest}"));
            assert!(blob.status().is_success(), "t{number} {digest}: {}", blob.status());
            assert_eq!(Digest::of(&blob.bytes().expect("whole")).as_str(), digest);
        }
    }
}

#[test]
fn every_acknowledged_push_outlives_a_kill() {
    let place = Place::new();
    let mut pushed: Vec<(usize, Digest)> = Vec::new();
    let mut next = 0;
    for round in 0..4 {
        let mut served = Served::start(&place, "oci:registry");
        let pusher = Pusher::new(&served, "team/app");
        for (number, digest) in &pushed {
            pusher.check(*number, digest);
        }
        // Several clients push the same and different things until the server is gone.
        let (done, acknowledged) = std::sync::mpsc::channel();
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (pusher, done) = (pusher.clone(), done.clone());
                std::thread::spawn(move || {
                    for number in next + client / 2.. {
                        match pusher.push(number) {
                            Ok(Some(digest)) => done.send((number, digest)).expect("is heard"),
                            Ok(None) => {}
                            Err(_) => return number,
                        }
                    }
                    unreachable!("numbers do not end")
                })
            })
            .collect();
        drop(done);
        let seen: Vec<_> = acknowledged.iter().take(5 + round).collect();
        served.kill();
        pushed.extend(seen.into_iter().chain(acknowledged.iter()));
        for client in clients {
            next = next.max(client.join().expect("ends") + 1);
        }
        pushed.sort();
        pushed.dedup();
    }
    let served = Served::start(&place, "oci:registry");
    let pusher = Pusher::new(&served, "team/app");
    assert!(pushed.len() >= 8, "{}", pushed.len());
    for (number, digest) in &pushed {
        pusher.check(*number, digest);
    }
    // Nothing of what was cut off has a name: all under blobs/ is what its name says.
    let blobs = place.path().join("registry/team/app/blobs/sha256");
    for entry in std::fs::read_dir(blobs).expect("lists") {
        let path = entry.expect("an entry").path();
        let digest = Digest::of(&std::fs::read(&path).expect("reads"));
        assert_eq!(path.file_name().expect("has one").to_string_lossy(), digest.hex());
    }
}

/// Makes what nobody relied on for `quiet` two days old.
fn age(place: &Place, quiet: Duration) {
    let blobs = place.path().join("registry/team/app/blobs/sha256");
    for entry in std::fs::read_dir(blobs).expect("lists") {
        let path = entry.expect("an entry").path();
        // It may be collected just now.
        if let Ok(file) = std::fs::File::options().append(true).open(path) {
            let modified = file.metadata().and_then(|meta| meta.modified()).expect("has one");
            if modified.elapsed().is_ok_and(|elapsed| elapsed >= quiet) {
                let old = SystemTime::now() - Duration::from_secs(48 * 3600);
                file.set_modified(old).expect("sets it");
            }
        }
    }
}

#[test]
fn garbage_collection_beside_pushes_takes_nothing_that_is_acknowledged() {
    let place = Place::new();
    let served = Served::start(&place, "oci:registry");
    let pusher = Pusher::new(&served, "team/app");
    pusher.push(0).expect("an answer").expect("is taken");
    let stop = Arc::new(AtomicBool::new(false));
    let pushing = {
        let (pusher, stop) = (pusher.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut pushed = VecDeque::new();
            for number in 1.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                if let Some(digest) = pusher.push(number).expect("an answer") {
                    pushed.push_back((number, digest));
                }
                if pushed.len() > 5
                    && let Some((number, _)) = pushed.pop_front()
                {
                    let path = format!("{}/manifests/t{number}", pusher.base);
                    pusher.client.delete(path).send().expect("an answer");
                }
            }
            pushed
        })
    };
    // What was given up becomes old sooner than in life, but later than a push takes.
    let begun = Instant::now();
    let mut removed = 0;
    while removed == 0 || begun.elapsed() < Duration::from_secs(4) {
        age(&place, Duration::from_secs(2));
        let ended = place.airlift("serve oci:registry --gc").with(0);
        removed += ended.out.lines().count() - 1;
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was ever collected");
    }
    stop.store(true, Ordering::Relaxed);
    let pushed = pushing.join().expect("ends");
    assert!(!pushed.is_empty());
    for (number, digest) in &pushed {
        pusher.check(*number, digest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_goes() {
    let place = Place::new();
    let path = place.path().join("registry/team/app");
    let store = airlift_oci::store::LayoutStore::create(&path).expect("makes it");
    image::simple(1).push(&store, Some("v1")).await;
    let gone = image::simple(2);
    gone.push(&store, Some("v2")).await;
    store.remove_tag(&"v2".parse().expect("a tag")).await.expect("removes it");
    let young = place.airlift("serve oci:registry --gc").with(0);
    assert!(
        young.out.starts_with("0 manifests and blobs removed, 0 bytes freed; "),
        "{}",
        young.out
    );
    age(&place, Duration::ZERO);
    let dry = place.airlift("serve oci:registry --gc --dry-run").with(0);
    assert!(dry.out.contains(&format!("team/app {} ", gone.root().digest())), "{}", dry.out);
    assert!(dry.out.contains("would be removed"), "{}", dry.out);
    let done = place.airlift("serve oci:registry --gc").with(0);
    assert_eq!(dry.out.replace("would be removed", "removed"), done.out);
    assert!(place.airlift("serve oci:registry --gc").with(0).out.starts_with("0 manifests"));
    place.airlift("inspect oci:registry/team/app:v1").with(0);
    place.airlift("serve oci:registry --gc --gc-age 5m").with(2).says("too short to be safe");
    place.airlift("serve oci:none --gc").with(2).says("nothing can be collected in oci:none");
    place.airlift("serve memory: --dry-run").with(2).says("--gc");
}
