//! Where one host has few connections to give, nobody waits for somebody who waits for him.

use super::*;
use airlift_oci::registry::{Access, Endpoint, Forward};
use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

/// Longer than anything here takes that moves at all.
const LONG: Duration = Duration::from_secs(20);

/// Repositories of a registry that has two names, by a client with so many connections to it.
fn two_names(
    registry: &TestRegistry,
    connections: usize,
    repositories: [&str; 2],
) -> [Arc<RegistryStore>; 2] {
    let endpoint = Endpoint { url: registry.url(), ..Endpoint::default() };
    let host = HostSettings { endpoints: vec![endpoint], ..HostSettings::default() };
    let names = ["low.example", "high.example"];
    let hosts = names.map(|name| (name.to_owned(), host.clone())).into();
    let mut settings = Settings { max_connections_per_host: connections, hosts, ..quick() };
    settings.credentials.fixed.insert(registry.host(), auth::basic("u", "p"));
    let client = client_with(settings);
    let [low, high] =
        names.map(|name| Name::new(name, repositories[usize::from(name != names[0])]));
    [client.repository(low.unwrap()), client.repository(high.unwrap())]
}

/// Copies everything at once.
async fn copy(contents: &[Remote], to: &RegistryStore) {
    let hints = absent();
    let puts = join_all(contents.iter().map(|content| to.put(content, &hints)));
    // Beyond it each waits for the other.
    let done = tokio::time::timeout(LONG, puts).await.unwrap();
    assert!(done.into_iter().all(|put| put.unwrap() == Put::Written));
}

#[tokio::test]
async fn the_first_question_to_a_name_waits_for_no_body_of_another() {
    let registry = with_blob(FaultPlan::none(), &large()).await;
    let [low, high] = two_names(&registry, 1, ["a", "a"]);
    let (blob, next) = (large(), large());
    let held = low.open(blob.descriptor(), 0).await.unwrap();
    // The first that is asked of the other name is a body, which waits for the one connection.
    let mut body = std::pin::pin!(high.open(next.descriptor(), 0));
    assert!(futures_util::poll!(&mut body).is_pending());
    // Whoever reads what is held may have to ask there, before it goes on.
    let asked = tokio::time::timeout(LONG, high.tags());
    let (asked, ()) = tokio::join!(asked, async {
        let _ = tokio::time::timeout(Duration::from_millis(200), &mut body).await;
    });
    asked.expect("it waits for a body that waits for what is held").unwrap();
    held.read_all().await.unwrap();
    body.await.unwrap().read_all().await.unwrap();
}

#[tokio::test]
async fn a_registry_of_two_names_is_copied_from_one_to_the_other() {
    for connections in [1, 2] {
        let plan = FaultPlan::none().refusing_mounts().auth(Auth::basic("u", "p"));
        let registry = TestRegistry::start(plan).await;
        let [low, high] = two_names(&registry, connections, ["a", "b"]);
        let contents = held(&registry, &low, 8).await;
        copy(&contents, &high).await;
    }
}

#[tokio::test]
async fn an_upload_in_chunks_keeps_its_turn_while_it_holds_what_it_reads() {
    // One has a blob open and waits to send its next chunk; another has the right to send and waits
    // to open its blob.
    let plan = FaultPlan::none().refusing_mounts().monolithic_limit(100);
    let registry = TestRegistry::start(plan).await;
    let settings = Settings { max_connections_per_host: 1, chunk_size: 300_000, ..quick() };
    let client = client_with(settings);
    let contents = held(&registry, &client.repository(registry.name("a")), 6).await;
    copy(&contents, &client.repository(registry.name("b"))).await;
}

#[tokio::test]
async fn a_body_that_is_long_in_arriving_keeps_nobody_from_asking() {
    let plan = FaultPlan::none().on(Kind::UploadPut, When::Always, Fault::Hang);
    let registry = with_blob(plan, &small()).await;
    let (client, host) = (client(), registry.host());
    let store = client.repository(registry.name("a"));
    let request = Forward {
        kind: airlift_oci::registry::Kind::UploadFinish,
        method: http::Method::PUT,
        path: "a/blobs/uploads/x",
        headers: http::HeaderMap::new(),
        access: Access::Push("a"),
        body: Some(futures_util::stream::pending().boxed()),
    };
    // It is the first that the host is asked.
    tokio::select! {
        biased;
        _ = client.forward(&host, request) => panic!("the body never ends"),
        asked = tokio::time::timeout(LONG, store.tags()) => {
            asked.expect("it waits for whoever sends the body").unwrap();
        }
    }
}

/// Content that gives nothing until it is told to.
struct Held {
    inner: InMemory,
    opened: Semaphore,
    gate: Arc<Semaphore>,
}

impl Held {
    fn new(bytes: Bytes) -> Self {
        let inner = InMemory::new(media::OCTET_STREAM, bytes);
        Held { inner, opened: Semaphore::new(0), gate: Arc::new(Semaphore::new(0)) }
    }
}

#[async_trait]
impl Content for Held {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        self.opened.add_permits(1);
        let (gate, blob) = (self.gate.clone(), self.inner.open(offset).await?);
        let bytes = futures_util::stream::once(async move {
            let _told = gate.acquire().await;
            blob.read_all().await
        });
        Ok(Blob::new(self.descriptor().clone(), offset, "held", bytes.boxed()))
    }
}

#[tokio::test]
async fn nothing_is_opened_before_the_host_that_takes_it_has_room() {
    for (first, then) in [(LARGE, 1000), (1000, LARGE)] {
        let plan = FaultPlan::none().location(UploadLocation::OtherHost);
        let registry = TestRegistry::start(plan).await;
        let settings = Settings { max_connections_per_host: 1, ..quick() };
        let store = client_with(settings).repository(registry.name("a"));
        let hints = absent();
        // Uploads are known to work from then on.
        put(&*store, &Watched::new(bytes(3, 500)), &hints).await;
        let held = Held::new(bytes(5, first));
        let next = Watched::new(bytes(7, then));
        let mut one = std::pin::pin!(store.put(&held, &hints));
        tokio::select! {
            _ = &mut one => panic!("its content is not there yet"),
            opened = held.opened.acquire() => opened.unwrap().forget(),
        }
        let mut other = std::pin::pin!(store.put(&next, &hints));
        let begun = async {
            while registry.counts().upload_post < 3 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            // The answer is on its way; what is to come is a wait for the other host.
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        tokio::select! {
            _ = &mut one => panic!("its content is not there yet"),
            _ = &mut other => panic!("the other host has room for one"),
            () = begun => {}
        }
        assert!(next.opened().is_empty(), "{then}: opened, and held while it waits");
        held.gate.add_permits(1);
        let (one, other) = tokio::join!(one, other);
        assert_eq!((one.unwrap(), other.unwrap()), (Put::Written, Put::Written));
        let counts = registry.counts();
        assert_eq!((counts.upload_post, counts.tags), (3, 0), "no request more: {counts:?}");
    }
}
