//! The images of the demo, built on the spot: the same bytes everywhere.

use airlift_oci::observe;
use airlift_oci::registry::{Client, Settings};
use airlift_oci::types::{Name, Reference};
use airlift_tests::image::{
    self, Flavour, Graph, Layer, cosign_signature, cosign_tag, sbom, signature,
};
use anyhow::Context;

/// One line of the list of sources.
pub(super) struct Source {
    pub(super) reference: Reference,
    labels: &'static str,
}

impl Source {
    pub(super) fn line(&self) -> String {
        format!("{}{}", self.reference, self.labels)
    }
}

/// Fills the registry at `address`; what it then holds, in the order of the list.
pub(super) async fn fill(address: &str) -> anyhow::Result<Vec<Source>> {
    let client = Client::new(Settings::default(), observe::silent())?;
    let base = Layer::new(1, 2_000_000);
    let web = app(&base, Flavour::Oci, 2, &["linux/amd64", "linux/arm64", "linux/arm/v7"]);
    let api = app(&base, Flavour::Docker, 3, &["linux/amd64", "linux/arm64"]);
    let tool = image::image(Flavour::Oci, "linux/amd64", &[base, Layer::new(4, 500_000)], 4);
    let images = [
        ("shop/web", "1.4", &web, ",team=shop"),
        ("shop/api", "2.0", &api, ",team=shop"),
        ("tools/cli", "latest", &tool, ""),
        ("charts/shop", "0.3", &image::chart(3), ",kind=chart"),
    ];
    let mut sources = Vec::new();
    for (repository, tag, graph, labels) in images {
        let name = Name::new(address, repository)?;
        graph.push(client.repository(name.clone()).as_ref(), Some(tag)).await;
        let text = format!("{name}:{tag}");
        let reference = text.parse().with_context(|| format!("{text} is no reference"))?;
        sources.push(Source { reference, labels });
    }
    attach(&client, Name::new(address, "shop/web")?, &web).await;
    Ok(sources)
}

/// An image for several platforms over a common base.
fn app(base: &Layer, flavour: Flavour, seed: u64, platforms: &[&str]) -> Graph {
    let children: Vec<Graph> = (seed * 100..)
        .zip(platforms)
        .map(|(own, platform)| {
            let layers = [base.clone(), Layer::new(own, 300_000)];
            image::image(flavour, platform, &layers, own)
        })
        .collect();
    image::index(flavour, &children)
}

/// What belongs to an image: an SBOM, signed itself, and signatures of both kinds.
async fn attach(client: &Client, name: Name, to: &Graph) {
    let store = client.repository(name);
    let bill = sbom(to.root());
    bill.push(store.as_ref(), None).await;
    signature(bill.root()).push(store.as_ref(), None).await;
    signature(to.root()).push(store.as_ref(), None).await;
    let tag = cosign_tag(to.root().digest(), "sig");
    cosign_signature(to.root()).push(store.as_ref(), Some(&tag)).await;
}
