//! A source of which each platform is an item, as ace-dt gathers it: where its rules send each.

use airlift_oci::inventory::{Inventory, Item, Labels, Sizes};
use airlift_oci::store::{Sink, Source};
use airlift_oci::types::{Annotations, Descriptor, Version};
use airlift_tests::image;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

fn tag(text: &str) -> Version {
    Version::Tag(text.parse().expect("a tag"))
}

/// `g:1`, gathered: of one source the platforms amd64 and arm64, as an item each.
async fn gathered(registry: &TestRegistry) -> [Descriptor; 2] {
    let store = registry.store("g");
    let mut platforms = Vec::new();
    for (seed, name) in [(1, "amd64"), (2, "arm64")] {
        image::simple(seed).push(store.as_ref(), Some(name)).await;
        let mut descriptor = store.resolve(&tag(name)).await.expect("was pushed");
        descriptor.platform = Some(Box::new(format!("linux/{name}").parse().expect("one")));
        platforms.push(descriptor);
    }
    let item = |one: &Descriptor| Item::new(one, "low.example.com/app:1", Labels::new(), None);
    let (items, none) = (platforms.iter().map(item).collect(), Annotations::new());
    let index = Inventory::write(items, Sizes::default(), "v", &none, false).expect("writes");
    store.put_manifest(&index, Some(&"1".parse().expect("a tag"))).await.expect("is put");
    platforms.try_into().expect("two")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_platform_goes_where_its_own_rules_send_it() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let (place, host) = (Place::new(), registry.host());
    let [amd, arm] = gathered(&registry).await;
    place.airlift(&format!("serialize {host}/g:1 all.tar")).with(0);
    for (number, from) in
        ["scatter HOST/g:1", "unarchive all.tar", "unarchive all.tar --strict"].iter().enumerate()
    {
        let (from, high) = (from.replace("HOST", &host), format!("{host}/high{number}"));
        place.file("one.csv", format!("{},{high}/one:1\n", amd.digest));
        let by_digest = format!("{from} digests=one.csv");
        place.airlift(&by_digest).with(0).says("1 done, 1 without a destination");
        place.file("each.tmpl", format!("{high}/{{{{ .Platform.Architecture }}}}:1\n{high}/all:1"));
        place.airlift(&format!("{from} go-template=each.tmpl")).with(0);

        let at = |path: &str| registry.store(&format!("high{number}/{path}"));
        let one = at("one").resolve(&tag("1")).await.expect("is there").digest;
        assert_eq!(one, amd.digest, "{from}: what no rule matches is not sent");
        assert!(at("one").fetch(&Version::Digest(arm.digest.clone())).await.is_err(), "{from}");
        for (path, platform) in [("amd64", &amd), ("arm64", &arm)] {
            let there = at(path).resolve(&tag("1")).await.expect("is there").digest;
            assert_eq!(there, platform.digest, "{from}: {path}");
        }
        let all = at("all").fetch(&tag("1")).await.expect("is there");
        let children: Vec<_> = all.manifests().map(|child| &child.digest).collect();
        let mut both = [&amd.digest, &arm.digest];
        both.sort();
        assert_eq!(children, both, "{from}: joined where they meet");
    }
}
