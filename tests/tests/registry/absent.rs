//! Hosts at which nobody answers.

use super::*;
use std::net::{Ipv4Addr, TcpListener};

/// An address at which nothing listens.
fn nobody() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string()
}

fn tries_told(heard: &Heard) -> usize {
    heard.0.lock().unwrap().iter().filter(|event| event.contains("Waiting")).count()
}

fn patient() -> Settings {
    let retries = Retries { attempts: 8, ..quick().retries };
    Settings { retries, ..quick() }
}

#[tokio::test]
async fn a_host_that_never_answered_is_given_up_early_and_then_at_once() {
    let (heard, host) = (Arc::new(Heard::default()), nobody());
    let client = Client::new(patient(), heard.clone()).unwrap();
    let store = client.repository(Name::new(&host, "a").unwrap());
    let error = store.tags().await.unwrap_err();
    assert!(chain(&error).contains("is the address right"), "{}", chain(&error));
    assert!(error.is_retryable());
    assert_eq!(tries_told(&heard), 5);
    // The next repository of it is not waited for.
    let other = client.repository(Name::new(&host, "b").unwrap());
    let error = other.tags().await.unwrap_err();
    assert!(chain(&error).contains("is the address right"), "{}", chain(&error));
    assert_eq!(tries_told(&heard), 5);
}

#[tokio::test]
async fn where_several_endpoints_are_asked_none_is_given_up_before_it_was_insisted_on() {
    let heard = Arc::new(Heard::default());
    let endpoints = [nobody(), nobody()].map(|host| airlift_oci::registry::Endpoint {
        url: format!("http://{host}"),
        ..Default::default()
    });
    let host = HostSettings { endpoints: endpoints.into(), ..HostSettings::default() };
    let settings = Settings { hosts: [("a.example".to_owned(), host)].into(), ..patient() };
    let client = Client::new(settings, heard.clone()).unwrap();
    let error = client.repository(Name::new("a.example", "a").unwrap()).tags().await.unwrap_err();
    assert!(chain(&error).contains("is the address right"), "{}", chain(&error));
    // Each once more in passing, then as often as any host that never answered.
    assert_eq!(tries_told(&heard), 2 * (1 + 5));
}

#[tokio::test]
async fn a_host_that_answered_once_keeps_its_patience() {
    let (heard, registry) =
        (Arc::new(Heard::default()), with_blob(FaultPlan::none(), &small()).await);
    let client = Client::new(patient(), heard.clone()).unwrap();
    let store = client.repository(registry.name("a"));
    read(&*store, &small()).await.unwrap();
    drop(registry);
    let error = store.tags().await.unwrap_err();
    assert!(!chain(&error).contains("is the address right"), "{}", chain(&error));
    assert_eq!(tries_told(&heard), 8);
}

#[tokio::test]
async fn a_host_that_accepts_and_never_answers_costs_its_patience_once() {
    let registry = TestRegistry::start(FaultPlan::none().on_any(When::Always, Fault::Hang)).await;
    let settings = Settings { answer_timeout: Duration::from_millis(500), ..quick() };
    let client = client_with(settings);
    let ask = async |images: std::ops::Range<u32>| {
        let begun = std::time::Instant::now();
        let asks = images.map(|image| {
            let store = client.repository(registry.name(&format!("a{image}")));
            async move { chain(&store.tags().await.unwrap_err()) }
        });
        for said in futures_util::future::join_all(asks).await {
            assert!(said.contains(&registry.host()) && said.contains("no answer within"), "{said}");
        }
        begun.elapsed()
    };
    // One after another they would take fifty seconds; one alone takes two and a half.
    let took = ask(0..20).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    // Each of the next is tried once at most, and those who wait for their turn not at all.
    let before = registry.heard();
    let took = ask(20..120).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(registry.heard() - before <= 20, "{}", registry.heard() - before);
}

#[tokio::test]
async fn a_host_that_answers_after_all_is_served() {
    let plan = FaultPlan::none().on_any(When::First(3), Fault::Hang).auth(Auth::basic("u", "p"));
    let registry = with_blob(plan, &small()).await;
    let mut settings = Settings { answer_timeout: Duration::from_millis(300), ..quick() };
    settings.credentials.fixed.insert(registry.host(), auth::basic("u", "p"));
    let (client, blob) = (client_with(settings), small());
    let reads = (0..8).map(|_| {
        let (store, blob) = (client.repository(registry.name("a")), &blob);
        async move { read(&*store, blob).await.unwrap() }
    });
    futures_util::future::join_all(reads).await;
}
