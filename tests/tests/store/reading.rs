//! What holds of every store.

use super::*;

pub(super) async fn manifests_by_tag_and_digest<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let graph = image::multi(Flavour::Docker, 1, &["linux/amd64", "linux/arm64"]);
    let subject = make(Filling::default().graph(&graph, Some("v1"))).await;
    let root = graph.root();
    for version in [by_tag("v1"), by_digest(root.digest())] {
        let found = subject.store.fetch(&version).await.unwrap();
        assert_eq!((found.raw(), found.descriptor()), (root.raw(), root.descriptor()));
        let resolved = subject.store.resolve(&version).await.unwrap();
        assert_eq!(resolved, root.descriptor().bare());
    }
    for child in root.manifests() {
        let found = subject.store.manifest(child).await.unwrap();
        assert_eq!(found.descriptor().media_type, media::DOCKER_MANIFEST);
    }
}

pub(super) async fn what_is_not_there_is_not_found<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let subject = make(Filling::default().graph(&image::simple(1), Some("v1"))).await;
    let store = &subject.store;
    let absent = Descriptor::of(media::OCTET_STREAM, b"absent");
    for version in [by_tag("v2"), by_digest(&absent.digest)] {
        assert!(store.fetch(&version).await.unwrap_err().is_not_found(), "{version}");
        assert!(store.resolve(&version).await.unwrap_err().is_not_found(), "{version}");
    }
    assert!(read(store.as_ref(), &absent, 0).await.unwrap_err().is_not_found());
    assert!(!store.has(&absent).await.unwrap());
    // A blob is no manifest.
    let config = image::simple(1).root().config().unwrap().clone();
    assert!(store.fetch(&by_digest(&config.digest)).await.is_err());
}

pub(super) async fn blobs_from_any_offset<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let graph = image::simple(1);
    let subject = make(Filling::default().graph(&graph, Some("v1"))).await;
    for piece in graph.blobs() {
        let (descriptor, bytes) = (piece.descriptor(), piece.bytes());
        assert!(subject.store.has(descriptor).await.unwrap());
        for offset in [0, 1, descriptor.size / 2, descriptor.size - 1, descriptor.size] {
            let rest = read(subject.store.as_ref(), descriptor, offset).await.unwrap();
            assert_eq!(rest, bytes.slice(usize::try_from(offset).unwrap()..), "{offset}");
        }
    }
}

pub(super) async fn wrong_sizes_are_found_out<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let graph = image::simple(1);
    let subject = make(Filling::default().graph(&graph, Some("v1"))).await;
    for wrong in [1, u64::MAX / 2] {
        let mut blob = graph.blobs()[0].descriptor().clone();
        blob.size = wrong;
        assert!(read(subject.store.as_ref(), &blob, 0).await.is_err(), "{wrong}");
        let mut manifest = graph.root().descriptor().clone();
        manifest.size = wrong;
        let error = subject.store.manifest(&manifest).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Size { .. }), "{error}");
    }
}

pub(super) async fn tags_are_sorted<F: Future<Output = Subject>>(make: impl Fn(Filling) -> F) {
    let mut filling = Filling::default();
    for name in ["v10", "v9", "a", "Z", "_0"] {
        filling = filling.graph(&image::simple(1), Some(name));
    }
    let subject = make(filling).await;
    assert_eq!(tags(subject.store.as_ref()).await, ["Z", "_0", "a", "v10", "v9"]);
}

pub(super) async fn referrers_have_type_and_annotations<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let graph = image::simple(1);
    let (sbom, signature) = (image::sbom(graph.root()), image::signature(graph.root()));
    let filling = Filling::default()
        .graph(&graph, Some("v1"))
        .graph(&sbom, None)
        .graph(&signature, Some("tagged-too"))
        .graph(&image::signature(image::simple(2).root()), None);
    let subject = make(filling).await;
    let found = subject.store.referrers(graph.root().digest()).await.unwrap();
    let mut expected = [sbom.root(), signature.root()].map(Manifest::referrer_descriptor).to_vec();
    expected.sort_by(|a, b| a.digest.cmp(&b.digest));
    assert_eq!(found, expected);
    let none = subject.store.referrers(sbom.root().digest()).await.unwrap();
    assert_eq!(none, []);
}

pub(super) async fn empty_and_odd_content<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let graph = image::with_empty_layers(1);
    let odd = Bytes::from_static(b"{ \"not\": \"known\" }");
    let odd = Manifest::parse("application/vnd.example.odd+json", odd).unwrap();
    let mut filling = Filling::default().graph(&graph, Some("v1"));
    filling.manifests.push((odd.clone(), Some(tag("odd"))));
    let subject = make(filling).await;
    let empty = Descriptor::of(media::OCTET_STREAM, b"");
    assert_eq!(read(subject.store.as_ref(), &empty, 0).await.unwrap(), "");
    for version in [by_tag("odd"), by_digest(odd.digest())] {
        let found = subject.store.fetch(&version).await.unwrap();
        assert_eq!((found.raw(), found.descriptor()), (odd.raw(), odd.descriptor()));
    }
}

pub(super) async fn sha512_content<F: Future<Output = Subject>>(make: impl Fn(Filling) -> F) {
    let bytes = Bytes::from_static(b"long digest");
    let blob = Descriptor::new(media::OCTET_STREAM, sha512(&bytes), bytes.len() as u64);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[]}}"#,
        media::OCI_MANIFEST,
        serde_json::to_string(&blob).unwrap()
    );
    let digest = sha512(text.as_bytes());
    let manifest =
        Manifest::parse_as(media::OCI_MANIFEST, digest.clone(), text.clone().into()).unwrap();
    let filling = Filling {
        blobs: vec![(blob.clone(), bytes.clone())],
        manifests: vec![(manifest, None)],
        ..Filling::default()
    };
    let subject = make(filling).await;
    assert_eq!(read(subject.store.as_ref(), &blob, 0).await.unwrap(), bytes);
    let found = subject.store.fetch(&by_digest(&digest)).await.unwrap();
    assert_eq!((found.raw().as_ref(), found.digest()), (text.as_bytes(), &digest));
}

pub(super) async fn a_graph_comes_back_whole<F: Future<Output = Subject>>(
    make: impl Fn(Filling) -> F,
) {
    let graph = image::nested(1);
    let subject = make(Filling::default().graph(&graph, Some("v1"))).await;
    let model = Model::walk(subject.store.as_ref(), &by_tag("v1")).await.unwrap();
    assert_eq!(model.manifests.len(), graph.manifests().len());
    assert_eq!(model.mentions, graph.blobs().len());
}
