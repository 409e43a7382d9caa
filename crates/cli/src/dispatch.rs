//! From items to where a ruleset sends them: chosen, routed, checked, shown or opened.

use airlift_oci::inventory::{Item, SourceLine};
use airlift_oci::mirror::scatter::{Destination, Routed};
use airlift_oci::mirror::{ItemReport, Report, Status};
use airlift_oci::stores::Stores;
use airlift_oci::types::{Descriptor, Digest, Location, media};
use airlift_rules::{Routing, Row, Ruleset, Selectors, subset};
use anyhow::Context;

use crate::failure::Usage;
use crate::table::{Format, Table};

/// The items that labels and a list of sources choose, in their order.
pub(crate) fn choose(
    items: Vec<Item>,
    selectors: &Selectors,
    list: Option<&[SourceLine]>,
) -> anyhow::Result<Vec<Item>> {
    let wanted = match list {
        None => None,
        Some(lines) => {
            let sources: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
            let hint = "`airlift inspect IMAGE` shows the sources that were gathered";
            Some(subset(&items, &sources).map_err(|error| Usage::new(error.to_string(), hint))?)
        }
    };
    let chosen = items.into_iter().enumerate().filter(|(position, item)| {
        let listed = wanted.as_ref().is_none_or(|list| list.binary_search(position).is_ok());
        listed && selectors.matches(&item.labels)
    });
    let chosen: Vec<Item> = chosen.map(|(_, item)| item).collect();
    if chosen.is_empty() {
        return Err(Usage::new("no item is chosen", "check --selector and --subset").into());
    }
    Ok(chosen)
}

/// The routing of all items; everything that is wrong with it ends the run before it begins.
pub(crate) fn route<'a>(ruleset: &'a Ruleset, items: &[Item]) -> anyhow::Result<Routing<'a>> {
    let routing = Routing::plan(ruleset, items);
    routing.check().map_err(|error| {
        Usage::new(error.to_string(), "`airlift route` shows which rule sends each item where")
    })?;
    Ok(routing)
}

/// A routing as a table: what a dry run shows.
pub(crate) fn table(
    routing: &Routing<'_>,
    items: &[Item],
    format: Format,
) -> anyhow::Result<String> {
    let rows: Vec<_> = routing.rows(items).collect();
    if format == Format::Json {
        return Ok(serde_json::to_string_pretty(&rows)? + "\n");
    }
    columns(rows, format)
}

/// The same for items that were not read: nothing is said of their content.
pub(crate) fn table_unread(
    routing: &Routing<'_>,
    items: &[Item],
    format: Format,
) -> anyhow::Result<String> {
    if format != Format::Json {
        let rows = routing.rows(items).map(|row| Row { digest: String::new(), ..row });
        return columns(rows.collect(), format);
    }
    let mut rows: Vec<serde_json::Value> = Vec::new();
    for row in routing.rows(items) {
        let mut row = serde_json::to_value(row)?;
        if let Some(row) = row.as_object_mut() {
            row.remove("digest");
        }
        rows.push(row);
    }
    Ok(serde_json::to_string_pretty(&rows)? + "\n")
}

/// What a dry run reports of a routing.
pub(crate) fn planned(routing: &Routing<'_>, items: &[Item]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for (position, item) in items.iter().enumerate() {
        let destinations = routing.destinations(position, item)?;
        let destinations = destinations.into_iter().map(|to| to.reference.to_string()).collect();
        report.items.push(plan(&item.source, destinations, Some(item.descriptor.digest.clone())));
    }
    Ok(report)
}

/// What a dry run reports of one item.
pub(crate) fn plan(item: &str, destinations: Vec<String>, digest: Option<Digest>) -> ItemReport {
    let status = if destinations.is_empty() { Status::Unmatched } else { Status::Planned };
    ItemReport { destinations, status, digest, ..ItemReport::new(item) }
}

fn columns(rows: Vec<Row>, format: Format) -> anyhow::Result<String> {
    let header = ["SOURCE", "DESTINATION", "STATUS", "RULE", "PROBLEM", "DIGEST"];
    let mut table = Table::new(header);
    for row in rows {
        let status = serde_json::to_value(row.status)?;
        // Programs want it; people have no room for it.
        let digest = if format == Format::Csv { row.digest } else { String::new() };
        table.row([
            row.source,
            row.destination.unwrap_or_default(),
            status.as_str().unwrap_or_default().to_owned(),
            row.rule.unwrap_or_default(),
            row.problem.unwrap_or_default(),
            digest,
        ]);
    }
    Ok(table.render(format))
}

/// Sources as items of which only the names are known, and the digests that they are named by.
pub(crate) fn unread(lines: &[SourceLine]) -> Vec<Item> {
    let item = |line: &SourceLine| {
        let named = line.location.reference().and_then(|reference| reference.digest.clone());
        // Distinct, so that two sources are never taken for one image.
        let digest = named.unwrap_or_else(|| Digest::of(line.text.as_bytes()));
        let descriptor = Descriptor::new(media::OCI_MANIFEST, digest, 0);
        Item::new(&descriptor, &line.text, line.labels.clone(), None)
    };
    lines.iter().map(item).collect()
}

/// The items with their destinations opened.
pub(crate) async fn open(
    routing: &Routing<'_>,
    items: Vec<Item>,
    stores: &Stores,
) -> anyhow::Result<Vec<Routed>> {
    let mut routed = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        let destinations = destinations(routing, position, &item, stores).await?;
        routed.push(Routed { item, destinations });
    }
    Ok(routed)
}

/// The destinations of the item at `position`, opened.
pub(crate) async fn destinations(
    routing: &Routing<'_>,
    position: usize,
    item: &Item,
    stores: &Stores,
) -> anyhow::Result<Vec<Destination>> {
    let mut opened = Vec::new();
    for destination in routing.destinations(position, item)? {
        let label = destination.reference.to_string();
        let location = Location::Registry(destination.reference);
        let place = stores
            .destination(&location)
            .await
            .with_context(|| format!("opening the destination {label} failed"))?;
        opened.push(Destination { store: place.store, tag: place.tag, label });
    }
    Ok(opened)
}
