//! Manifests named by another algorithm than the one by which a registry names what has a tag.

use airlift_oci::inventory::{Item, Sizes};
use airlift_oci::types::{Algorithm, Annotations, Hasher};

use super::*;

/// A gathered index at `sync` with one image, named by SHA-512.
async fn gathered(registry: &TestRegistry) -> Manifest {
    let store = registry.store("gathered");
    let short = image(&store, "amd64", &["base", "long"], None).await;
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(short.raw());
    let long = Manifest::parse_as(media::OCI_MANIFEST, hasher.finish(), short.raw().clone());
    let long = long.unwrap();
    store.put_manifest(&long, None).await.unwrap();
    let source = format!("{}/long:1", registry.host());
    let items = vec![Item::new(&long.descriptor().bare(), &source, Labels::new(), None)];
    let sizes = Sizes { total: 0, deduplicated: 0 };
    let index = Inventory::write(items, sizes, "test", &Annotations::new(), false).unwrap();
    store.put_manifest(&index, Some(&tag("sync"))).await.unwrap();
    long
}

#[tokio::test]
async fn an_image_named_by_sha512_is_found_in_place() {
    let mut bench = Bench::start().await;
    let long = gathered(&bench.near).await;
    let high = TestRegistry::start(FaultPlan::none()).await;
    let report = bench.scatter(&high, &ScatterOptions::default()).await;
    assert_eq!(report.count(Status::Done), 1, "{report:?}");
    let store = bench.repository(&high, "high/long").await;
    let landed = store.resolve(&Version::Tag(tag("1"))).await.unwrap();
    assert_eq!(landed.digest, Digest::of(long.raw()), "as the registry names it");
    let named = store.fetch(&Version::Digest(long.digest().clone())).await.unwrap();
    assert_eq!(named.raw(), long.raw());

    bench.forget();
    high.reset_counts();
    let again = bench.scatter(&high, &ScatterOptions::default()).await;
    assert_eq!(again.count(Status::Unchanged), 1, "{again:?}");
    // What the tag names, and its content, since the names cannot be compared.
    assert_eq!(high.counts().total(), 2, "{:?}", high.counts());

    let other = image(&high.store("high/long"), "arm64", &["base", "other"], None).await;
    high.store("high/long").put_manifest(&other, Some(&tag("1"))).await.unwrap();
    bench.forget();
    let moved = bench.scatter(&high, &ScatterOptions::default()).await;
    assert_eq!(moved.count(Status::Done), 1, "{moved:?}");
    let landed = store.fetch(&Version::Tag(tag("1"))).await.unwrap();
    assert_eq!(landed.raw(), long.raw());
}
