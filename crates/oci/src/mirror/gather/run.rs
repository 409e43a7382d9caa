//! One source of a gather after the other, on its way into the destination.

use std::sync::Arc;

use super::earlier::Earlier;
use super::harvest::Gathered;
use super::options::GatherOptions;
use crate::inventory::Item;
use crate::mirror::executor::Executor;
use crate::mirror::plan::{Root, Target, Transfer};
use crate::mirror::sources::{SourceFault, SourceImage, read_source, resolve_source};
use crate::observe::{Event, Totals};
use crate::store::{Store, chain};
use crate::types::{Annotations, Descriptor, media};

pub(in crate::mirror) struct Run<'a> {
    pub(in crate::mirror) executor: &'a Executor,
    pub(in crate::mirror) store: &'a Arc<dyn Store>,
    pub(in crate::mirror) options: &'a GatherOptions,
    pub(in crate::mirror) earlier: &'a Earlier,
}

impl Run<'_> {
    pub(in crate::mirror) async fn source(
        &self,
        source: SourceImage,
    ) -> Result<Gathered, SourceFault> {
        if self.earlier.items.contains_key(&source.text) && !self.options.referrers {
            let found = resolve_source(&source).await;
            let found = found.map_err(|error| self.unread(&source, error))?;
            if let Some(item) = self.unchanged(&source, &found) {
                self.executor
                    .observer()
                    .event(&Event::Finished { item: &source.text, error: None });
                return Ok(Gathered { item, totals: Totals::default(), graph: None });
            }
        }
        let read = read_source(&source, &self.options.platforms).await;
        let read = read.map_err(|error| self.unread(&source, error))?;
        let transfer = Transfer {
            item: source.text.clone(),
            from: source.store.clone(),
            mount_from: source.mount_from.clone(),
            root: Root::Read(read.root),
            to: vec![self.target()],
            referrers: self.options.referrers,
        };
        let done = self.executor.transfer(&transfer).await?;
        Ok(Gathered { item: read.item, totals: done.tally.totals(), graph: done.graph })
    }

    /// Tells that a source failed before the executor had it.
    fn unread(&self, source: &SourceImage, error: SourceFault) -> SourceFault {
        let observer = self.executor.observer();
        observer.event(&Event::Started { item: &source.text });
        let text = chain(&error);
        observer.event(&Event::Finished { item: &source.text, error: Some(&text) });
        error
    }

    /// The repository that everything is gathered into.
    pub(in crate::mirror) fn target(&self) -> Target {
        Target {
            store: self.store.clone(),
            tag: None,
            label: self.store.place(),
            presence: self.earlier.presence,
            look: true,
        }
    }

    /// The item of an earlier gather, when source, platforms and content are the same.
    fn unchanged(&self, source: &SourceImage, found: &Descriptor) -> Option<Item> {
        let item = self.earlier.same(&source.text, &found.digest)?;
        let platforms = &self.options.platforms;
        let same_platforms =
            match (&item.descriptor.platform, &item.source_index, platforms.as_slice()) {
                (None, None, []) => true,
                // Which of several versions of a system was taken depends on what was asked for.
                (Some(have), Some(_), [want]) => {
                    have.satisfies(want) && (have.os_version.is_none() || want.os_version.is_some())
                }
                _ => false,
            };
        let mut item = item.clone();
        let index = item.descriptor.annotations.remove(media::SOURCE_INDEX);
        let bare = Descriptor { annotations: Annotations::new(), ..item.descriptor };
        let mut new = Item::new(&bare, &source.text, source.labels.clone(), None);
        if let Some(text) = index {
            new.descriptor.annotations.insert(media::SOURCE_INDEX.to_owned(), text);
            new.source_index.clone_from(&item.source_index);
        }
        same_platforms.then_some(new)
    }
}
