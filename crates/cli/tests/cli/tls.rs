//! TLS to registries: an authority of one's own and a client certificate, found in `certs.d`.

use std::sync::Arc;

use airlift_tests::image;
use airlift_tests::{FaultPlan, TestRegistry};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::harness::Place;

/// An authority, known to nobody.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(own.der().clone()).expect("is one");
        Authority { pem: own.pem(), issuer: Issuer::new(params, key), roots: roots.into() }
    }

    /// A certificate for `name`, and its key.
    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("parameters");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }
}

/// A registry behind a door that speaks TLS; `HOST:PORT` of the door.
struct Private {
    registry: TestRegistry,
    host: String,
    _door: JoinSet<()>,
}

impl Private {
    /// With a certificate for `name`; where `clients` is given, only who shows one of its is let in.
    async fn start(authority: &Authority, name: &str, clients: Option<&Authority>) -> Private {
        let (certificate, key) = authority.sign(name);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone());
        let config = config.with_safe_default_protocol_versions().expect("versions");
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let roots = clients.roots.clone();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                config.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = config.with_single_cert(vec![certificate.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("go together")));
        let registry = TestRegistry::start(FaultPlan::none()).await;
        image::simple(1).push(registry.store("team/app").as_ref(), Some("1")).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let behind = registry.addr();
        let mut door = JoinSet::new();
        door.spawn(async move {
            let mut inside = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                inside.spawn(async move {
                    // Who is not let in has an error of its own to tell.
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    let Ok(mut server) = TcpStream::connect(behind).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Private { registry, host: format!("localhost:{port}"), _door: door }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_where_certs_d_says_so() {
    let authority = Authority::new();
    let private = Private::start(&authority, "localhost", None).await;
    let host = &private.host;
    let place = Place::new();
    place.file("s.list", format!("{host}/team/app:1\n"));
    // What is on this machine speaks plain HTTP unless something says otherwise.
    place.airlift("gather s.list oci:out:1").with(1).says("does not speak plain HTTP");
    assert_eq!(private.registry.counts().total(), 0, "nothing was said to a stranger");

    // And what speaks plain HTTP is not taken for TLS.
    let plain = private.registry.host();
    let endpoint = format!("registryConfig: {{{host}: {{endpoints: ['https://{plain}']}}}}\n");
    place.file("plain.yaml", endpoint);
    place
        .airlift("gather s.list oci:out:1 --config plain.yaml")
        .with(1)
        .says("what listens there does not speak TLS")
        .says(&format!("an endpoint http://{plain} in the configuration"));

    // Another's authority does not help, and neither does one for another host.
    let certificates = format!("home/.docker/certs.d/{host}/ca.pem");
    place.file(&certificates, Authority::new().pem);
    place.file("home/.docker/certs.d/example.com/ca.pem", &authority.pem);
    place
        .airlift("gather s.list oci:out:1")
        .with(1)
        .says("no secure connection could be made")
        .says("comes from an authority that is not trusted here")
        .says("invalid peer certificate")
        .says(&format!("certs.d/{host}/ca.pem"));
    assert_eq!(private.registry.counts().total(), 0, "nothing was said to a stranger");
    place.file(&certificates, &authority.pem);
    place.airlift("gather s.list oci:out:1").with(0).says("1 done");
    place.airlift(&format!("scatter oci:out:1 nest={host}/m")).with(0).says("1 done");
    let shown = place.airlift("config").with(0).out;
    assert!(shown.contains(&format!("{host}/ca.pem")), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_to_its_host() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let private = Private::start(&authority, "localhost", Some(&clients)).await;
    let host = &private.host;
    let place = Place::new();
    place.file("s.list", format!("{host}/team/app:1\n"));
    let certs = format!("home/.config/containers/certs.d/{host}");
    place.file(&format!("{certs}/ca.crt"), &authority.pem);
    place.airlift("gather s.list oci:out:1").with(1).says("CertificateRequired");
    assert_eq!(private.registry.counts().total(), 0);
    // One that nobody there knows.
    let (stranger, key) = authority.sign("client");
    place.file(&format!("{certs}/client.cert"), stranger.pem());
    place.file(&format!("{certs}/client.key"), key.serialize_pem());
    place.airlift("gather s.list oci:out:1").with(1);
    let (client, key) = clients.sign("client");
    place.file(&format!("{certs}/client.cert"), client.pem());
    place.file(&format!("{certs}/client.key"), key.serialize_pem());
    place.airlift("gather s.list oci:out:1").with(0).says("1 done");
    std::fs::remove_file(place.path().join(format!("{certs}/client.key"))).expect("removes");
    place.airlift("gather s.list oci:out:2").with(2).says("client.key is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_refused_unless_the_configuration_says_not_to_look() {
    let authority = Authority::new();
    let private = Private::start(&authority, "elsewhere.example.com", None).await;
    let host = &private.host;
    let place = Place::new();
    place.file("s.list", format!("{host}/team/app:1\n"));
    place.file(&format!("home/.docker/certs.d/{host}/ca.pem"), &authority.pem);
    place.airlift("gather s.list oci:out:1").with(1);
    place.file(
        "airlift.yaml",
        format!(
            "registryConfig:\n  registries:\n    {host}:\n      endpoints: [\"https://{host}\"]\n  \
             endpointConfig:\n    https://{host}:\n      tls:\n        insecureSkipVerify: true\n"
        ),
    );
    place.airlift("gather s.list oci:out:1").with(0).says("1 done");
}
