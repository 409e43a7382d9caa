//! Growth: ten, a hundred, a thousand, ten thousand images of tiny layers. The time for an image
//! must stay what it is, and so must the memory for each mention of a blob.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use airlift_oci::store::{Content, Hints, InMemory, Sink};
use airlift_oci::types::{Descriptor, Manifest, Tag, media};
use airlift_tests::{FaultPlan, TestRegistry};
use anyhow::ensure;
use serde_json::json;
use tokio::runtime::Runtime;

use super::mib;
use crate::meter::{Cost, measure};
use crate::stage::Stage;

/// Blobs that each image names: a configuration, a common layer, layers of its own.
const MENTIONS: u64 = 8;
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Images in one repository.
const TAGS: u64 = 100;
/// Bytes that a mention of a blob may take.
const BOUND: f64 = 2048.0;
/// How much longer an image may take among the most images than among a tenth as many.
const SLOWER: f64 = 1.5;
/// The verbs, as they are run. The buffer of `serialize` is the smallest there is: blocks wait in it
/// for a disk that is slower than the source, and would count as memory of the images.
const VERBS: [(&str, &str); 9] = [
    ("gather", "gather LIST NEAR/gather:1"),
    ("gather again", "gather LIST NEAR/gather:1"),
    ("serialize", "serialize NEAR/gather:1 growth.tar --force -m 2Mi"),
    ("inspect", "inspect growth.tar"),
    ("deserialize", "deserialize growth.tar FAR/landed:1"),
    ("scatter", "scatter FAR/landed:1 nest=FAR/m"),
    ("scatter again", "scatter FAR/landed:1 nest=FAR/m"),
    ("clone", "clone LIST nest=NEAR/clone"),
    ("copy", "copy --specs growth.json"),
];

/// Runs every verb over ten times as many images each time, up to `most`.
pub(super) fn run(
    stage: &Stage,
    runtime: &Runtime,
    most: u64,
    table: Option<&Path>,
) -> anyhow::Result<()> {
    let sizes: Vec<u64> =
        [10, 100, 1000, 10_000, 100_000].into_iter().filter(|n| *n <= most).collect();
    let mut costs: Vec<(u64, Vec<Cost>)> = Vec::new();
    for images in sizes {
        println!("{images} images, {} mentions of blobs", images * MENTIONS);
        costs.push((images, runs(stage, runtime, images)?));
    }
    if let Some(path) = table {
        fs::write(path, written(&costs))?;
    }
    judge(&costs)
}

/// Whether time and memory stayed within their bounds.
fn judge(costs: &[(u64, Vec<Cost>)]) -> anyhow::Result<()> {
    let (Some((few, first)), Some((many, last))) = (costs.first(), costs.last()) else {
        return Ok(());
    };
    let tenth = costs.len().checked_sub(2).and_then(|number| costs.get(number));
    let mut failed = Vec::new();
    for (number, (verb, _)) in VERBS.iter().enumerate() {
        let mention = mention((*few, &first[number]), (*many, &last[number]));
        println!("{verb:<14} {mention:>6.0} bytes a mention");
        if *many >= 1000 && mention > BOUND {
            failed.push(format!("{verb}: {mention:.0} bytes a mention"));
        }
        if let Some((fewer, middle)) = tenth {
            let before = middle[number].wall / *fewer as f64;
            let after = last[number].wall / *many as f64;
            if after > before * SLOWER {
                failed.push(format!("{verb}: {:.1} times as long an image", after / before));
            }
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// Bytes of memory for each mention of a blob, between few images and many.
fn mention((few, first): (u64, &Cost), (many, last): (u64, &Cost)) -> f64 {
    last.peak.saturating_sub(first.peak) as f64 / ((many - few).max(1) * MENTIONS) as f64
}

/// What was measured, as a table in Markdown.
fn written(costs: &[(u64, Vec<Cost>)]) -> String {
    let mut text = String::from("| |");
    for (images, _) in costs {
        let _ = write!(text, " {images} images | ms an image | memory |");
    }
    let _ = write!(text, " bytes a mention |\n| --- |{}", " --- |".repeat(3 * costs.len() + 1));
    for (number, (verb, _)) in VERBS.iter().enumerate() {
        let _ = write!(text, "\n| {verb} |");
        for (images, all) in costs {
            let Cost { wall, peak, .. } = all[number];
            let each = wall * 1000.0 / *images as f64;
            let _ = write!(text, " {wall:.2} s | {each:.2} | {} |", mib(peak));
        }
        if let (Some((few, first)), Some((many, last))) = (costs.first(), costs.last()) {
            let _ =
                write!(text, " {:.0} |", mention((*few, &first[number]), (*many, &last[number])));
        }
    }
    text + "\n"
}

/// Every verb over so many images.
fn runs(stage: &Stage, runtime: &Runtime, images: u64) -> anyhow::Result<Vec<Cost>> {
    let start = || runtime.block_on(TestRegistry::start(FaultPlan::none()));
    let (low, near, far) = (start(), start(), start());
    let names = runtime.block_on(fill(&low, images))?;
    let lines: Vec<String> = names.iter().map(|name| format!("{}/{name}\n", low.host())).collect();
    fs::write(stage.path("growth.list"), lines.concat())?;
    let spec = |name: &String| json!({ "src": format!("{}/{name}", low.host()), "dst": format!("{}/c/{name}", far.host()) });
    let specs: Vec<String> = names.iter().map(|name| spec(name).to_string()).collect();
    fs::write(stage.path("growth.json"), specs.concat())?;
    let mut costs = Vec::new();
    for (verb, line) in VERBS {
        let line = line.replace("NEAR", &near.host()).replace("FAR", &far.host());
        let line = line.replace("LIST", "growth.list");
        let cost = measure(stage.command().arg("--quiet").args(line.split(' ')))?;
        println!(
            "  {verb:<14} {:>7.2} s  {:>7.2} ms an image  CPU {:>6.1} s  peak memory {}",
            cost.wall,
            cost.wall * 1000.0 / images as f64,
            cost.cpu,
            mib(cost.peak)
        );
        costs.push(cost);
    }
    Ok(costs)
}

/// Puts images into the registry, past its door; their names.
async fn fill(registry: &TestRegistry, images: u64) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for number in 0..images {
        let repository = format!("team-{}/app", number / TAGS);
        let store = registry.store(&repository);
        let text = json!({ "architecture": "amd64", "os": "linux", "number": number });
        let config = put(store.as_ref(), media::OCI_CONFIG, &text.to_string()).await?;
        let mut layers = vec![put(store.as_ref(), LAYER, "the base of all").await?];
        for layer in 2..MENTIONS {
            let text = format!("layer {layer} of {number}");
            layers.push(put(store.as_ref(), LAYER, &text).await?);
        }
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media::OCI_MANIFEST, "config": config,
            "layers": layers,
        });
        let manifest = Manifest::parse(media::OCI_MANIFEST, manifest.to_string().into())?;
        let tag: Tag = format!("v{number}").parse()?;
        store.put_manifest(&manifest, Some(&tag)).await?;
        names.push(format!("{repository}:{tag}"));
    }
    Ok(names)
}

async fn put(store: &dyn Sink, media_type: &str, text: &str) -> anyhow::Result<Descriptor> {
    let content = InMemory::new(media_type, text.to_owned().into());
    store.put(&content, &Hints::default()).await?;
    Ok(content.descriptor().bare())
}
