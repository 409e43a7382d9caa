//! The proof: both sides read to the last byte and compared.

use std::collections::{BTreeMap, BTreeSet};

use airlift_oci::observe;
use airlift_oci::registry::{Client, Settings};
use airlift_oci::store::{Source as _, StoreError};
use airlift_oci::types::{Digest, Reference, Version};
use airlift_tests::model::Model;
use anyhow::{Context, ensure};
use serde_json::Value;

use super::images::Source;

/// What a source consists of.
#[derive(Debug, PartialEq)]
pub(super) struct Content {
    /// Manifests and blobs, with everything that refers to them.
    model: Model,
    /// The tags of cosign that belong to it, with what they name.
    signatures: BTreeMap<String, Digest>,
}

/// What each source consists of.
pub(super) type Contents = BTreeMap<String, Content>;

/// Reads every source.
pub(super) async fn read(sources: &[Source]) -> anyhow::Result<Contents> {
    let client = Client::new(Settings::default(), observe::silent())?;
    let mut contents = Contents::new();
    for source in sources {
        contents.insert(source.reference.to_string(), content(&client, &source.reference).await?);
    }
    Ok(contents)
}

/// Reads every destination that the report names and compares; how many manifests and blobs that
/// were.
pub(super) async fn compare(wanted: &Contents, report: &str) -> anyhow::Result<(usize, usize)> {
    let client = Client::new(Settings::default(), observe::silent())?;
    let report: Value = serde_json::from_str(report).context("the report is no JSON")?;
    let items = report["items"].as_array().context("the report names no items")?;
    ensure!(items.len() == wanted.len(), "{} of {} images arrived", items.len(), wanted.len());
    let (mut manifests, mut blobs) = (0, 0);
    for item in items {
        let source = item["item"].as_str().unwrap_or_default();
        let destination = item["destinations"][0].as_str().unwrap_or_default();
        let wanted = wanted.get(source).with_context(|| format!("{source} was not asked for"))?;
        let found = content(&client, &destination.parse()?).await?;
        ensure!(found == *wanted, "{destination} is not what {source} was");
        println!(
            "{source} = {destination}: {} manifests, {} blobs, {} referrers, {} signature tags",
            found.model.manifests.len(),
            found.model.blobs.len(),
            found.model.referrers.values().map(BTreeSet::len).sum::<usize>(),
            found.signatures.len()
        );
        manifests += found.model.manifests.len();
        blobs += found.model.blobs.len();
    }
    Ok((manifests, blobs))
}

async fn content(client: &Client, reference: &Reference) -> anyhow::Result<Content> {
    let store = client.repository(reference.name.clone());
    let read = async {
        let model = Model::walk_with_referrers(store.as_ref(), &reference.version()).await?;
        let mut signatures = BTreeMap::new();
        for tag in store.tags().await?.into_iter().filter(|tag| tag.as_str().starts_with("sha256-"))
        {
            let digest = store.resolve(&Version::Tag(tag.clone())).await?.digest;
            signatures.insert(tag.to_string(), digest);
        }
        Ok::<_, StoreError>(Content { model, signatures })
    };
    read.await.with_context(|| format!("reading {reference} failed"))
}
