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
