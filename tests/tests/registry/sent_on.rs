//! Registries that send readers on to another host for their blobs.

use super::*;
use airlift_tests::Raw;
use std::net::{Ipv4Addr, TcpListener};

const NOTHING: &str = "Content-Length: 0\r\n\r\n";

/// A registry that sends on to `host` by a URL that is a secret.
async fn sending_on_to(host: String) -> Raw {
    let location = format!("Location: http://{host}/hidden/path?sig=secret\r\n");
    Raw::start(move |_| Raw::kept(&format!("HTTP/1.1 307 There\r\n{location}{NOTHING}"))).await
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_named_and_its_signed_url_is_not() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let hanging = TestRegistry::start(FaultPlan::none().on_any(When::Always, Fault::Hang)).await;
    for (host, why) in [(nobody.to_string(), "refused"), (hanging.host(), "no answer within")] {
        let registry = sending_on_to(host.clone()).await;
        let heard = Arc::new(Heard::default());
        let settings = Settings { answer_timeout: Duration::from_millis(300), ..quick() };
        let client = Client::new(settings, heard.clone()).unwrap();
        for blob in [small(), large()] {
            let store = client.repository(registry.name("a"));
            let error = read(&*store, &blob).await.unwrap_err();
            let said = chain(&error);
            assert!(said.contains(&format!("sent on to {host}")) && said.contains(why), "{said}");
            assert!(said.contains(&registry.addr().to_string()), "{said}");
            assert_eq!(error.sent_on(), Some(&*host));
            assert!(!said.contains("hidden") && !said.contains("secret"), "{said}");
        }
        let told = heard.0.lock().unwrap();
        let waits: Vec<_> = told.iter().filter(|event| event.contains("Waiting")).collect();
        assert!(waits.iter().all(|wait| wait.contains(&format!("host: \"{host}\""))), "{waits:?}");
        assert!(
            !waits.is_empty() && waits.iter().all(|wait| !wait.contains("secret")),
            "{waits:?}"
        );
    }
}

#[tokio::test]
async fn a_host_that_refuses_every_signed_url_is_soon_believed() {
    let refusing = Raw::start(|_| Raw::kept(&format!("HTTP/1.1 403 No\r\n{NOTHING}"))).await;
    for blob in [small(), large()] {
        let before = refusing.requests().len();
        let registry = sending_on_to(refusing.addr().to_string()).await;
        let error = read(&*client().repository(registry.name("a")), &blob).await.unwrap_err();
        assert!(error.to_string().contains("403"), "{error}");
        assert_eq!(registry.requests().len(), 3);
        assert_eq!(refusing.requests().len() - before, 3);
    }
}
