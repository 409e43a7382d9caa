//! What holds of every store that can be written to.

use super::*;

pub(super) async fn putting_twice_is_fine<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let subject = make(Filling::default()).await;
    let (store, blob) = (&subject.store, content("bytes"));
    assert!(!store.has(blob.descriptor()).await.unwrap());
    assert_eq!(store.put(&blob, &Hints::default()).await.unwrap(), Put::Written);
    assert!(store.has(blob.descriptor()).await.unwrap());
    assert_eq!(store.put(&blob, &Hints::default()).await.unwrap(), Put::Existed);
    let absent = Hints { presence: Presence::Absent, ..Hints::default() };
    store.put(&blob, &absent).await.unwrap();
    assert_eq!(read(store.as_ref(), blob.descriptor(), 0).await.unwrap(), "bytes");
    let graph = image::simple(1);
    for _ in 0..2 {
        graph.push(store.as_ref(), Some("v1")).await;
    }
    assert!(store.has(graph.root().descriptor()).await.unwrap());
    assert_eq!(tags(store.as_ref()).await, ["v1"]);
}

pub(super) async fn bad_content_leaves_nothing<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    for (chunks, ending) in [
        (&["promise"][..], Ending::Ends),
        (&["promis"], Ending::Ends),
        (&["promised", "!"], Ending::Ends),
        (&["pro"], Ending::Fails),
        (&[], Ending::Fails),
        (&["promised"], Ending::Fails),
    ] {
        let subject = make(Filling::default()).await;
        let liar = Liar::new("promised", chunks, ending);
        let error = subject.store.put(&liar, &Hints::default()).await.unwrap_err();
        assert!(liar.opened.load(Ordering::Relaxed), "{error}");
        assert!(!subject.store.has(liar.descriptor()).await.unwrap(), "{chunks:?}");
        let said = Descriptor::of(media::OCTET_STREAM, chunks.concat().as_bytes());
        assert!(chunks == ["promised"] || !subject.store.has(&said).await.unwrap());
        subject.store.put(&content("promised"), &Hints::default()).await.unwrap();
        let blob = read(subject.store.as_ref(), liar.descriptor(), 0).await.unwrap();
        assert_eq!(blob, "promised");
    }
}

pub(super) async fn a_dropped_put_leaves_nothing<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let subject = make(Filling::default()).await;
    let liar = Liar::new("promised", &["promis"], Ending::Hangs);
    let hints = Hints::default();
    let mut put = Box::pin(subject.store.put(&liar, &hints));
    while !liar.opened.load(Ordering::Relaxed) {
        assert!(futures_util::poll!(&mut put).is_pending());
        tokio::task::yield_now().await;
    }
    assert!(futures_util::poll!(&mut put).is_pending());
    drop(put);
    assert!(!subject.store.has(liar.descriptor()).await.unwrap());
    subject.store.put(&content("promised"), &Hints::default()).await.unwrap();
    assert!(subject.store.has(liar.descriptor()).await.unwrap());
}

pub(super) async fn many_puts_of_one_blob<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let subject = make(Filling::default()).await;
    let blob = image::Layer::new(1, 300_000).piece("m");
    let hints = Hints::default();
    let puts = (0..8).map(|_| subject.store.put(&blob, &hints));
    for put in futures_util::future::join_all(puts).await {
        put.unwrap();
    }
    let found = read(subject.store.as_ref(), blob.descriptor(), 0).await.unwrap();
    assert_eq!(found, blob.bytes());
}

pub(super) async fn many_manifests_at_once<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let subject = make(Filling::default()).await;
    let subject_of_all = image::simple(1);
    subject_of_all.push(subject.store.as_ref(), None).await;
    let graphs: Vec<Graph> = (10..26)
        .map(|seed| {
            let config = image::Piece::of(media::OCI_EMPTY, format!("{{\"n\":{seed}}}"));
            image::artifact(Some("application/x.n"), config, vec![], Some(subject_of_all.root()))
        })
        .collect();
    let names: Vec<String> = (0..graphs.len()).map(|n| format!("t{n:02}")).collect();
    let pushes = graphs
        .iter()
        .zip(&names)
        .map(|(graph, name)| graph.push(subject.store.as_ref(), Some(name)));
    futures_util::future::join_all(pushes).await;
    assert_eq!(tags(subject.store.as_ref()).await, names);
    let referrers = subject.store.referrers(subject_of_all.root().digest()).await.unwrap();
    assert_eq!(referrers.len(), graphs.len());
}

pub(super) async fn a_tag_moves<F: Future<Output = Subject>>(make: impl Fn(Filling) -> F) {
    let subject = make(Filling::default()).await;
    let (old, new) = (image::simple(1), image::simple(2));
    for (graph, name) in [(&old, "latest"), (&old, "v1"), (&new, "latest")] {
        graph.push(subject.store.as_ref(), Some(name)).await;
    }
    let digest = async |version| subject.store.resolve(&version).await.unwrap().digest;
    assert_eq!(digest(by_tag("latest")).await, *new.root().digest());
    assert_eq!(digest(by_tag("v1")).await, *old.root().digest());
    assert_eq!(digest(by_digest(old.root().digest())).await, *old.root().digest());
    assert_eq!(tags(subject.store.as_ref()).await, ["latest", "v1"]);
}

pub(super) async fn a_referrer_may_come_before_its_subject<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let subject = make(Filling::default()).await;
    let graph = image::simple(1);
    let sbom = image::sbom(graph.root());
    sbom.push(subject.store.as_ref(), None).await;
    graph.push(subject.store.as_ref(), Some("v1")).await;
    let found = subject.store.referrers(graph.root().digest()).await.unwrap();
    assert_eq!(found, [sbom.root().referrer_descriptor()]);
}

pub(super) async fn what_lost_its_tag_is_still_found<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let subject = make(Filling::default()).await;
    let store = subject.store.as_ref();
    let graph = image::simple(1);
    graph.push(store, None).await;
    let sbom = image::sbom(graph.root());
    sbom.push(store, Some("moving")).await;
    let odd = Bytes::from_static(b"{}");
    let odd = Manifest::parse("application/vnd.example.odd+json", odd).unwrap();
    store.put_manifest(&odd, Some(&tag("moving"))).await.unwrap();
    graph.push(store, Some("moving")).await;
    let referrers = store.referrers(graph.root().digest()).await.unwrap();
    assert_eq!(referrers, [sbom.root().referrer_descriptor()]);
    let found = store.fetch(&by_digest(odd.digest())).await.unwrap();
    assert_eq!(found.descriptor(), odd.descriptor());
    assert_eq!(tags(store).await, ["moving"]);
    assert_eq!(store.resolve(&by_tag("moving")).await.unwrap().digest, *graph.root().digest());
}
