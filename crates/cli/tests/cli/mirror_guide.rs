//! Every example of the mirror guide that scripts were written by, under the names that it uses.
//!
//! Its hosts lead to registries on loopback by the configuration; its tape is a file, and the
//! digest of its third image is that of ours.

use airlift_oci::store::Source;
use airlift_oci::types::{Digest, Version};
use airlift_tests::image::{self, Flavour};
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::{Ended, Place};

/// `gather` and what follows name the artifact so.
const GATHERED: &str = "reg.example.com/gather:sync-45";
const STAGED: &str = "reg.high.example.com/scatter:sync-45";

struct Guide {
    place: Place,
    low: TestRegistry,
    near: TestRegistry,
    high: TestRegistry,
    secret: TestRegistry,
    froggy: TestRegistry,
    local: TestRegistry,
    maturin: Digest,
}

impl Guide {
    async fn new() -> Guide {
        let start = || TestRegistry::start(FaultPlan::none());
        let (low, near, high) = (start().await, start().await, start().await);
        let (secret, froggy, local) = (start().await, start().await, start().await);
        let place = Place::new();
        let hosts = [
            ("quay.io", &low),
            ("docker.io", &low),
            ("reg.example.com", &near),
            ("reg.high.example.com", &high),
            ("secret.reg.example.com", &secret),
            ("secret.froggy.example.com", &froggy),
            ("localhost:5000", &local),
        ];
        let entry = |(host, registry): (&str, &TestRegistry)| {
            format!("  {host}:\n    endpoints:\n      - {}\n", registry.url())
        };
        place.file("ace-dt-config.yaml", format!("registryConfig:\n{}", hosts.map(entry).concat()));
        let ceph = image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"]);
        ceph.push(low.store("ceph/ceph").as_ref(), Some("v17.2")).await;
        image::simple(2).push(low.store("curlimages/curl").as_ref(), Some("7.73.0")).await;
        let maturin = image::simple(3);
        maturin.push(low.store("konstin2/maturin").as_ref(), None).await;
        let maturin = maturin.root().digest().clone();
        let list = format!(
            "quay.io/ceph/ceph:v17.2\ndocker.io/curlimages/curl:7.73.0\n\
             docker.io/konstin2/maturin@{maturin}\n"
        );
        place.file("source-images.txt", &list);
        place.file("sources.list", &list);
        Guide { place, low, near, high, secret, froggy, local, maturin }
    }

    /// Runs a line of the guide, `ace-dt` replaced.
    fn run(&self, line: &str) -> Ended {
        let words = line.strip_prefix("ace-dt ").expect(line);
        self.place.run(self.place.command().args(words.split(' '))).with(0)
    }

    /// Gathers, and brings the artifact to the high side.
    fn stage(&self) {
        self.run(&format!("ace-dt mirror gather source-images.txt {GATHERED}"));
        self.run(&format!("ace-dt mirror serialize {GATHERED} nst0"));
        self.run(&format!("ace-dt mirror deserialize nst0 {STAGED}"));
    }

    fn scatter(&self, rules: &str) {
        self.run(&format!("ace-dt mirror scatter {STAGED} {rules}"));
    }

    async fn has_maturin(&self, registry: &TestRegistry, repository: &str) -> bool {
        let version = Version::Digest(self.maturin.clone());
        registry.store(repository).resolve(&version).await.is_ok()
    }

    /// Whether all three images are below `prefix`, under their sources' names.
    async fn has_all(&self, registry: &TestRegistry, prefix: &str) -> bool {
        let mut all =
            self.has_maturin(registry, &format!("{prefix}docker.io/konstin2/maturin")).await;
        for (name, tag) in [("quay.io/ceph/ceph", "v17.2"), ("docker.io/curlimages/curl", "7.73.0")]
        {
            let version = Version::Tag(tag.parse().expect("a tag"));
            let here = registry.store(&format!("{prefix}{name}")).resolve(&version).await;
            let (_, source) = name.split_once('/').expect("a name");
            let there = self.low.store(source).resolve(&version).await;
            all &= here.is_ok_and(|here| there.is_ok_and(|there| here.digest == there.digest));
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gather_with_its_flags() {
    let guide = Guide::new().await;
    guide.run("ace-dt config --sample");
    let line = format!("ace-dt mirror gather source-images.txt {GATHERED}");
    guide.run(&line).says("3 done");
    let annotations = "--annotations=key1=value1,key2=value2";
    let project = "reg.example.com/project/repo:sync-45";
    guide.run(&format!("ace-dt mirror gather source-images.txt {project} {annotations}"));
    let gathered = |name: &str, tag: &str| {
        let store = guide.near.store(name);
        let version = Version::Tag(tag.parse().expect("a tag"));
        async move { store.fetch(&version).await.expect("a manifest") }
    };
    let plain = gathered("gather", "sync-45").await;
    assert_eq!(plain.manifests().count(), 3);
    let total: u64 = plain
        .annotation("vnd.act3-ace.layer.size.total")
        .and_then(|text| text.parse().ok())
        .expect("a size");
    let once = plain.annotation("vnd.act3-ace.layer.size.deduplicated").expect("a size");
    assert!(once.parse::<u64>().expect("a number") < total, "the platforms share a layer");
    let annotated = gathered("project/repo", "sync-45").await;
    assert_eq!(annotated.annotation("key2"), Some("value2"));
    guide.run(&format!("{line} --index-fallback"));
    let fallback = gathered("gather", "sync-45").await;
    let named = fallback.annotation("vnd.act3-ace.extra-manifests").expect("the annotation");
    assert!(named.contains("quay.io/ceph/ceph:v17.2"), "{named}");
    // The steps that follow handle it.
    guide.run(&format!("ace-dt mirror serialize {GATHERED} nst0"));
    guide.run(&format!("ace-dt mirror deserialize nst0 {STAGED}"));
    guide.scatter("nest=localhost:5000");
    assert!(guide.has_all(&guide.local, "").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn serialize_without_what_is_there() {
    let guide = Guide::new().await;
    guide.stage();
    guide.run(&format!("ace-dt mirror serialize {GATHERED} sync45-1.tar --checkpoint cp1.txt"));
    // The first three runs failed, each a few blobs later.
    let ledger = guide.place.read("cp1.txt");
    let lines: Vec<&str> = ledger.lines().collect();
    let offset = |line: &str| -> u64 {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = line["annotations"]["vnd.act3-ace.data.offset"].as_str().expect("an offset");
        text.parse().expect("a number")
    };
    let mut line = format!("ace-dt mirror serialize {GATHERED} sync45-4.tar --checkpoint cp4.txt");
    let mut parts = Vec::new();
    let all = lines.len();
    for (number, end) in [(1, all - 4), (2, all - 3), (3, all - 2)] {
        let part = lines[..end].join("\n") + "\n";
        guide.place.file(&format!("cp{number}.txt"), part);
        let end = offset(lines[end - 1]);
        line.extend([format!(" --existing-from-checkpoint cp{number}.txt:{end}")]);
        parts.push(format!("cp{number}.txt:{end}"));
    }
    guide.run(&line);
    // As the program's help has it, in one word.
    let parts = parts.join(",");
    guide.run(&format!(
        "ace-dt mirror serialize {GATHERED} sync45-5.tar --existing-from-checkpoint {parts}"
    ));
    let bytes = |name: &str| std::fs::read(guide.place.path().join(name)).expect(name);
    assert!(bytes("sync45-4.tar") == bytes("sync45-5.tar"), "the same ledgers, the same archive");
    let left_out = |name: &str| -> u64 {
        let shown = guide.run(&format!("ace-dt inspect {name} -o json")).out;
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        shown["totals"]["leftOut"].as_u64().expect("a number")
    };
    assert!(left_out("sync45-4.tar") > 1);
    guide.run(&format!("ace-dt mirror deserialize sync45-4.tar {STAGED}"));

    let there = "quay.io/ceph/ceph:v17.2 docker.io/curlimages/curl:7.73.0";
    guide.run(&format!("ace-dt mirror serialize {GATHERED} sync45.tar {there}"));
    let shown = guide.run("ace-dt inspect sync45.tar");
    assert!(shown.out.contains("left out, expected in quay.io/ceph/ceph:v17.2"), "{}", shown.out);
    assert!(left_out("sync45.tar") > left_out("sync45-1.tar"));
}

#[tokio::test(flavor = "multi_thread")]
async fn scatter_by_each_kind_of_rules() {
    let guide = Guide::new().await;
    guide.stage();
    let sample = "{{- $annotation := index .Annotations \"org.opencontainers.image.ref.name\" -}}\n\
                  localhost:5000/{{ $annotation }}\n";
    guide.place.file("scatter.tmpl", sample);
    guide.scatter("go-template=scatter.tmpl");
    assert!(guide.has_all(&guide.local, "").await);

    let maturin = "docker.io/konstin2/maturin";
    let table = "docker.io/,secret.reg.example.com/docker.io/\n\
                 docker.io/,secret.froggy.example.com/docker.io/\n\
                 docker.io/library/,secret.reg.example.com/docker.io/library\n";
    guide.place.file("destfile.csv", table);
    guide.scatter("first-prefix=destfile.csv");
    assert!(guide.has_maturin(&guide.secret, maturin).await);
    assert!(!guide.has_maturin(&guide.froggy, maturin).await);
    guide.scatter("all-prefix=destfile.csv");
    assert!(guide.has_maturin(&guide.froggy, maturin).await);

    let guide = Guide::new().await;
    guide.stage();
    let table = table.replace("docker.io/,secret.froggy", "docker.io/konstin2/,secret.froggy");
    guide.place.file("destfile.csv", table);
    guide.scatter("longest-prefix=destfile.csv");
    // Not `docker.io/konstin2/maturin`, as the guide's sentence has it: a prefix is replaced here as
    // in all its other examples.
    assert!(guide.has_maturin(&guide.froggy, "docker.io/maturin").await);
    assert!(!guide.has_maturin(&guide.secret, maturin).await);
    let digests = format!(
        "{},secret.reg.example.com/docker.io/\n{},secret.froggy.example.com/docker.io/\n",
        guide.maturin,
        Digest::of(b"another")
    );
    guide.place.file("destfile.csv", digests);
    guide.scatter("digests=destfile.csv");
    assert!(guide.has_maturin(&guide.secret, maturin).await);

    let template = "{{- $name := index .Annotations \"vnd.act3-ace.manifest.source\" -}}\n\
                    secret.reg.example.com/{{ trimPrefix \"reg.example.com/\" $name -}}\n\
                    {{ if hasPrefix \"docker.io\" $name }}\n\
                    secret.reg.example.com/high/scatter/{{ trimPrefix \"reg.example.com\" $name -}}\n\
                    {{- end -}}\n";
    guide.place.file("destfile.tmpl", template);
    guide.scatter("go-template=destfile.tmpl");
    assert!(guide.has_all(&guide.secret, "").await);
    assert!(guide.has_maturin(&guide.secret, &format!("high/scatter/{maturin}")).await);
    assert!(guide.high.store("scatter").tags().await.is_ok_and(|tags| tags.len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn clone_archive_and_unarchive() {
    let guide = Guide::new().await;
    let template = "{{- $name := index .Annotations \"vnd.act3-ace.manifest.source\" -}}\n\
                    secret.reg.example.com/{{ trimPrefix \"reg.example.com/\" $name -}}\n";
    guide.place.file("path/to/destfile", template);
    guide.run("ace-dt mirror clone sources.list go-template=path/to/destfile").says("3 done");
    assert!(guide.has_all(&guide.secret, "").await);
    guide.run("ace-dt mirror archive sources.list path/to/destfile.tar sync-1");
    guide
        .run("ace-dt mirror unarchive path/to/destfile.tar nest=localhost:5000 sync-1")
        .says("3 done");
    assert!(guide.has_all(&guide.local, "").await);
}
