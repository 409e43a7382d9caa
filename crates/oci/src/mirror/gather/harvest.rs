//! What came in, counted as it comes.

use crate::graph::{Graph, SizeCounter};
use crate::inventory::Item;
use crate::mirror::report::{ItemReport, Report};
use crate::mirror::sources::SourceFault;
use crate::observe::Totals;
use crate::types::Descriptor;

/// What became of one source.
pub(in crate::mirror) struct Gathered {
    pub(in crate::mirror) item: Item,
    pub(in crate::mirror) totals: Totals,
    /// What it consists of; `None` when it is known to be in place.
    pub(in crate::mirror) graph: Option<Graph>,
}

/// What has come in. Of what was read in this run only the sizes are kept: ten thousand images have
/// many manifests.
#[derive(Default)]
pub(in crate::mirror) struct Harvest {
    pub(in crate::mirror) report: Report,
    pub(in crate::mirror) items: Vec<Item>,
    pub(in crate::mirror) counter: SizeCounter,
    /// The roots of what was not read, and is not counted yet.
    pub(in crate::mirror) unread: Vec<Descriptor>,
}

impl Harvest {
    /// Takes in what became of the source `text`.
    pub(in crate::mirror) fn take(&mut self, text: &str, result: Result<Gathered, SourceFault>) {
        let mut report = ItemReport::new(text);
        match result {
            Ok(Gathered { item, totals, graph }) => {
                report.digest = Some(item.descriptor.digest.clone());
                report.succeed(totals);
                match graph {
                    Some(graph) => self.counter.add(&graph),
                    None => self.unread.push(item.descriptor.bare()),
                }
                self.items.push(item);
            }
            Err(error) => report.fail_by(&error),
        }
        self.report.items.push(report);
    }

    /// Whether nothing came in.
    pub(in crate::mirror) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
