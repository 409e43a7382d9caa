//! The page on serve: every server on it starts and answers as it is written there.

use airlift_tests::{FaultPlan, TestRegistry, image};

use super::Served;
use crate::harness::Place;

const PAGE: &str = include_str!("../../../../../docs/serve.md");

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_page_runs() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let place = Place::new();
    image::simple(1).push(registry.store("library/nginx").as_ref(), Some("1.27")).await;
    let host = registry.host();
    place.file("s.list", format!("{host}/library/nginx:1.27\n"));
    place.file("destinations.csv", format!("{host}/,high.example.com/\n"));
    for (tag, file, more) in
        [("45", "sync-45.tar", ""), ("46", "sync-46.tar.zst", "--compression zstd")]
    {
        place.airlift(&format!("gather s.list {host}/sync:{tag}")).with(0);
        place.airlift(&format!("serialize {host}/sync:{tag} {file} {more}")).with(0);
    }
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("makes one");
    place.file("cert.pem", made.cert.pem());
    place.file("key.pem", made.signing_key.serialize_pem());
    place.file("htpasswd", format!("ci:{}\n", bcrypt::hash("secret", 4).expect("hashes")));
    let lines = PAGE.lines().filter_map(|line| line.strip_prefix("airlift serve "));
    let mut count = 0;
    for words in lines {
        count += 1;
        if words.contains("--gc") {
            place.airlift(&format!("serve {words}")).with(0);
            continue;
        }
        let words: Vec<&str> =
            words.split(' ').filter(|word| !word.starts_with("127.0.0.1:")).collect();
        let words = words.join(" ").replace("--listen", "");
        tokio::task::block_in_place(|| {
            let served = Served::start(&place, &words);
            let client = reqwest::blocking::Client::builder().tls_danger_accept_invalid_certs(true);
            let client = client.build().expect("builds");
            let url = format!("{}://{}/v2/", served.scheme, served.host);
            let answer = |user: Option<&str>| {
                let request = client.get(&url);
                let request = match user {
                    Some(user) => request.basic_auth(user, Some("secret")),
                    None => request,
                };
                request.send().expect("an answer").status().as_u16()
            };
            let closed = words.contains("--users") && !words.contains("anonymous");
            assert_eq!(answer(None), if closed { 401 } else { 200 }, "{words}");
            assert_eq!(answer(Some("ci")), 200, "{words}");
        });
    }
    assert!(count >= 12, "only {count} commands were found");
}
