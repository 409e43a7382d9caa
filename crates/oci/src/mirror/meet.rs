//! Platforms of one source, as ace-dt gathers them: an item each. Where several of them meet under
//! one tag they are joined into one index there; where an item goes alone, it stays what it is.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::plan::Root;
use super::routed::{Destination, Routed};
use crate::types::{Descriptor, Digest, Manifest, ManifestError, media};

/// What is sent as one, and where it goes.
pub(super) type Sent = (Result<Root, ManifestError>, Routed);

/// What of `routed` is sent as one, sorted by source. No item goes where its own rules do not send it.
pub(super) fn join_platforms(routed: Vec<Routed>) -> Vec<Sent> {
    let mut groups: BTreeMap<String, Vec<Routed>> = BTreeMap::new();
    for routed in routed {
        groups.entry(routed.item.source.clone()).or_default().push(routed);
    }
    groups.into_values().flat_map(join_group).collect()
}

/// The items of one source.
fn join_group(mut group: Vec<Routed>) -> Vec<Sent> {
    if group.len() == 1 {
        return group.into_iter().map(alone).collect();
    }
    let meetings = meetings(&mut group);
    let mut joined: Vec<(Vec<usize>, Vec<Destination>)> = Vec::new();
    for mut meeting in meetings {
        let members = platforms(&group, &meeting);
        if members.len() < 2 {
            for (item, to) in meeting {
                group[item].destinations.push(to);
            }
            continue;
        }
        let to = meeting.swap_remove(0).1;
        match joined.iter_mut().find(|(known, _)| *known == members) {
            Some((_, destinations)) => destinations.push(to),
            None => joined.push((members, vec![to])),
        }
    }
    let in_joined: HashSet<usize> = joined.iter().flat_map(|(items, _)| items).copied().collect();
    let mut sent: Vec<Sent> =
        joined.into_iter().map(|(items, to)| join(&group, &items, to)).collect();
    let rest = group.into_iter().enumerate();
    // An item that nothing matches is reported as that.
    let rest =
        rest.filter(|(at, routed)| !routed.destinations.is_empty() || !in_joined.contains(at));
    sent.extend(rest.map(|(_, routed)| alone(routed)));
    sent
}

/// Those who come to one place, by their position in the group.
type Meeting = Vec<(usize, Destination)>;

/// Takes the destinations of all items and sorts them by place. What goes by its digest is alone.
fn meetings(group: &mut [Routed]) -> Vec<Meeting> {
    let mut meetings: Vec<Meeting> = Vec::new();
    let mut known: HashMap<(String, String, String), usize> = HashMap::new();
    for (item, routed) in group.iter_mut().enumerate() {
        for to in std::mem::take(&mut routed.destinations) {
            let Some(tag) = &to.tag else {
                meetings.push(vec![(item, to)]);
                continue;
            };
            // Hosts have no case, and repositories are lower case.
            let (domain, place) =
                (to.store.domain().to_lowercase(), to.store.place().to_lowercase());
            let at = *known.entry((domain, place, tag.to_string())).or_insert(meetings.len());
            if at == meetings.len() {
                meetings.push(Vec::new());
            }
            meetings[at].push((item, to));
        }
    }
    meetings
}

/// The items of a meeting that are joined: none when one of them has no platform.
fn platforms(group: &[Routed], meeting: &Meeting) -> Vec<usize> {
    let mut digests: HashSet<&Digest> = HashSet::new();
    let descriptor = |at: &usize| &group[*at].item.descriptor;
    let items = meeting.iter().map(|(at, _)| *at);
    let members: Vec<usize> = items.filter(|at| digests.insert(&descriptor(at).digest)).collect();
    let all = members.iter().all(|at| descriptor(at).platform.is_some());
    if all { members } else { Vec::new() }
}

fn join(group: &[Routed], items: &[usize], destinations: Vec<Destination>) -> Sent {
    let descriptors = items.iter().map(|at| &group[*at].item.descriptor);
    let root = platform_index(descriptors).map(Root::Read);
    let item = group[items[0]].item.clone();
    (root, Routed { item, destinations })
}

fn alone(routed: Routed) -> Sent {
    (Ok(Root::Known(Box::new(routed.item.descriptor.clone()))), routed)
}

/// The index of manifests that are one image's platforms, as scatter makes it of a source that was
/// gathered platform by platform.
pub fn platform_index<'a>(
    platforms: impl IntoIterator<Item = &'a Descriptor>,
) -> Result<Manifest, ManifestError> {
    let children: Vec<Descriptor> = platforms
        .into_iter()
        .map(|child| Descriptor { platform: child.platform.clone(), ..child.bare() })
        .collect();
    let docker = children.iter().all(|child| child.media_type == media::DOCKER_MANIFEST);
    let media_type = if docker { media::DOCKER_LIST } else { media::OCI_INDEX };
    let index =
        serde_json::json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": children });
    Manifest::parse(media_type, index.to_string().into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::inventory::{Item, Labels};
    use crate::store::MemoryStore;

    const SOURCE: &str = "a.io/x:1";

    fn routed(
        text: &str,
        platform: Option<&str>,
        to: &[(&Arc<MemoryStore>, Option<&str>)],
    ) -> Routed {
        let mut descriptor = Descriptor::of(media::OCI_MANIFEST, text.as_bytes());
        descriptor.platform = platform.map(|platform| Box::new(platform.parse().unwrap()));
        let to = to.iter().map(|(store, tag)| Destination {
            store: (*store).clone(),
            tag: tag.map(|tag| tag.parse().unwrap()),
            label: tag.unwrap_or("by digest").to_owned(),
        });
        let item = Item::new(&descriptor, SOURCE, Labels::new(), None);
        Routed { destinations: to.collect(), item }
    }

    /// What is sent: the texts of the items, and the labels of where they go.
    fn sent(routed: Vec<Routed>) -> Vec<(Vec<String>, Vec<String>)> {
        let texts = ["amd", "arm", "bare"];
        let name = |digest: &Digest| {
            let text = texts.iter().find(|text| Digest::of(text.as_bytes()) == *digest);
            text.unwrap().to_string()
        };
        let parts = |root: Root| match root {
            Root::Known(descriptor) => vec![name(&descriptor.digest)],
            Root::Read(index) => index.manifests().map(|child| name(&child.digest)).collect(),
        };
        let labels = |to: Vec<Destination>| to.into_iter().map(|to| to.label).collect();
        let all = join_platforms(routed).into_iter();
        all.map(|(root, routed)| (parts(root.unwrap()), labels(routed.destinations))).collect()
    }

    fn row(items: &[&str], to: &[&str]) -> (Vec<String>, Vec<String>) {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        (owned(items), owned(to))
    }

    #[test]
    fn platforms_are_joined_where_they_meet_and_nowhere_else() {
        let (one, two) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
        let amd = routed("amd", Some("linux/amd64"), &[(&one, Some("1")), (&two, Some("amd"))]);
        let arm = routed("arm", Some("linux/arm64"), &[(&two, Some("1")), (&one, Some("1"))]);
        assert_eq!(
            sent(vec![amd, arm]),
            [row(&["amd", "arm"], &["1"]), row(&["amd"], &["amd"]), row(&["arm"], &["1"])]
        );
    }

    #[test]
    fn what_no_rule_matches_goes_nowhere() {
        let one = Arc::new(MemoryStore::new());
        let amd = routed("amd", Some("linux/amd64"), &[(&one, Some("1"))]);
        let arm = routed("arm", Some("linux/arm64"), &[]);
        assert_eq!(sent(vec![amd, arm]), [row(&["amd"], &["1"]), row(&["arm"], &[])]);
    }

    #[test]
    fn what_goes_by_its_digest_stays_what_it_is() {
        let one = Arc::new(MemoryStore::new());
        let to = [(&one, None)];
        let (amd, arm) = ("linux/amd64", "linux/arm64");
        let items = vec![routed("amd", Some(amd), &to), routed("arm", Some(arm), &to)];
        assert_eq!(sent(items), [row(&["amd"], &["by digest"]), row(&["arm"], &["by digest"])]);
    }

    #[test]
    fn an_item_without_platform_hinders_only_where_it_is() {
        let (one, two) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
        let (here, there) = ([(&one, Some("1"))], [(&two, Some("2"))]);
        let items = vec![
            routed("amd", Some("linux/amd64"), &here),
            routed("arm", Some("linux/arm64"), &here),
            routed("bare", None, &there),
        ];
        assert_eq!(sent(items), [row(&["amd", "arm"], &["1"]), row(&["bare"], &["2"])]);
        let items = vec![routed("amd", Some("linux/amd64"), &here), routed("bare", None, &here)];
        assert_eq!(sent(items), [row(&["amd"], &["1"]), row(&["bare"], &["1"])]);
        let twice = || routed("amd", Some("linux/amd64"), &here);
        assert_eq!(sent(vec![twice(), twice()]), [row(&["amd"], &["1"]), row(&["amd"], &["1"])]);
    }
}
