//! Users, rights and TLS, by the flags.

use super::Served;
use crate::harness::Place;

/// `secret`, of the lowest cost.
const HASH: &str = "$2b$04$FIzPmjh9xIvk0ZfV8Q6xD.QuGF6U9XyrZ7TJcHIF1Jf4lIiGNtFpS";

#[test]
fn users_come_from_an_htpasswd_file() {
    let place = Place::new();
    let hash = bcrypt::hash("secret", 4).expect("hashes");
    place.file("users", format!("# who may\nci:{hash}\n"));
    let words = "memory: --users users --allow ci:read-write:team/* --allow anonymous:read";
    let served = Served::start(&place, words);
    let client = reqwest::blocking::Client::new();
    let post = |name: &str, password: Option<&str>| {
        let url = format!("http://{}/v2/{name}/blobs/uploads/", served.host);
        let request = client.post(url).header("content-length", "0");
        let request = match password {
            Some(password) => request.basic_auth("ci", Some(password)),
            None => request,
        };
        request.send().expect("an answer").status().as_u16()
    };
    assert_eq!(post("team/a", Some("secret")), 202);
    assert_eq!(post("team/a", Some("guess")), 401);
    assert_eq!(post("team/a", None), 401);
    assert_eq!(post("other", Some("secret")), 403);
}

#[test]
fn what_is_wrong_with_the_door_is_said_before_it_opens() {
    let place = Place::new();
    place.file("users", format!("ci:{HASH}\n"));
    place.file("plain", "ci:secret\n");
    place.file("cert.pem", "no certificate");
    for (flags, code, said) in [
        ("--users plain", 2, "plain, line 1: the password of \"ci\" is not hashed with bcrypt"),
        ("--users none", 2, "reading none failed"),
        ("--users users --allow eve:read", 2, "a rule names the user \"eve\""),
        ("--allow *:read", 2, "there is no htpasswd file"),
        ("--allow ci:write", 2, "it is read or read-write"),
        ("--tls-cert cert.pem", 2, "--tls-key"),
        ("--tls-cert cert.pem --tls-key cert.pem", 1, "there is no certificate in it"),
        ("--grace soon", 2, "no unit of time"),
    ] {
        let ended =
            place.airlift(&format!("serve memory: --listen 127.0.0.1:0 {flags}")).with(code);
        assert!(!ended.err.contains("secret"), "{}", ended.err);
        ended.says(said);
    }
}

#[test]
fn tls_by_files() {
    let place = Place::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("makes one");
    place.file("cert.pem", made.cert.pem());
    place.file("key.pem", made.signing_key.serialize_pem());
    let served = Served::start(&place, "memory: --tls-cert cert.pem --tls-key key.pem");
    assert_eq!(served.scheme, "https");
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).expect("is one");
    let client = reqwest::blocking::Client::builder();
    let client = client.tls_certs_only([trusted]).build().expect("builds");
    let url = format!("https://{}/v2/", served.host.replace("127.0.0.1", "localhost"));
    assert!(client.get(url).send().expect("an answer").status().is_success());
}

/// Whether whoever trusts only this certificate is answered, with these credentials.
fn answers(served: &Served, pem: &str, password: &str) -> Option<u16> {
    let trusted = reqwest::Certificate::from_pem(pem.as_bytes()).expect("is one");
    let client = reqwest::blocking::Client::builder();
    let client = client.tls_certs_only([trusted]).build().expect("builds");
    let url = format!("https://{}/v2/", served.host.replace("127.0.0.1", "localhost"));
    let answer = client.get(url).basic_auth("ci", Some(password)).send();
    answer.ok().map(|answer| answer.status().as_u16())
}

#[test]
fn new_certificates_and_passwords_are_taken_while_it_runs() {
    let place = Place::new();
    let change = |password: &str| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("makes one");
        place.file("cert.pem", made.cert.pem());
        place.file("key.pem", made.signing_key.serialize_pem());
        let hash = bcrypt::hash(password, 4).expect("hashes");
        place.file("users", format!("ci:{hash}\n"));
        made.cert.pem()
    };
    let old = change("old");
    let words = "memory: --users users --tls-cert cert.pem --tls-key key.pem";
    let served = Served::start(&place, words);
    assert_eq!(answers(&served, &old, "old"), Some(200));
    let new = change("new");
    served.signal("HUP");
    let begun = std::time::Instant::now();
    while answers(&served, &new, "new") != Some(200) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "it never takes them");
    }
    assert_eq!(answers(&served, &old, "new"), None);
    assert_eq!(answers(&served, &new, "old"), Some(401));
    // What cannot be used changes nothing, and ends nothing.
    place.file("key.pem", "no key");
    place.file("users", "");
    served.signal("HUP");
    for _ in 0..20 {
        assert_eq!(answers(&served, &new, "new"), Some(200));
    }
}
