//! Tests of `routing`.

use airlift_oci::types::{Descriptor, Digest, media};
use proptest::prelude::*;

use super::*;

struct Owned {
    source: String,
    descriptor: Descriptor,
}

impl Routable for Owned {
    fn origin(&self) -> Origin<'_> {
        Origin { source: &self.source, descriptor: &self.descriptor, source_index: None }
    }
}

fn item(source: &str, content: &str) -> Owned {
    let descriptor = Descriptor::of(media::OCI_MANIFEST, content.as_bytes());
    Owned { source: source.to_owned(), descriptor }
}

fn platform(source: &str, platform: &str) -> Owned {
    let mut item = item(source, platform);
    item.descriptor.platform = Some(Box::new(platform.parse().unwrap()));
    item
}

fn ruleset(kind: &str, table: &str) -> Ruleset {
    let read = |_: &str| -> std::io::Result<String> { Ok(table.to_owned()) };
    Ruleset::parse(&format!("{kind}=dest.csv"), &read).unwrap()
}

fn problems(routing: &Routing<'_>) -> Vec<String> {
    routing.check().err().map(|error| error.problems).unwrap_or_default()
}

#[test]
fn everything_wrong_is_listed_together() {
    let rules = ruleset("all-prefix", "a.example/,r.example/Upper/\nb.example/,r.example/x:1\n");
    let items = [item("a.example/p", "1"), item("a.example/q:2", "2"), item("c.example/r", "3")];
    let routing = Routing::plan(&rules, &items);
    assert_eq!(routing.unmatched, [2]);
    let problems = problems(&routing);
    assert_eq!(problems.len(), 2);
    assert!(
        problems[0]
            .starts_with("dest.csv:1: invalid destination \"r.example/Upper/p\" for a.example/p: ")
    );
    assert!(problems[1].contains("\"r.example/Upper/q:2\""), "{}", problems[1]);
    assert!(problems[1].contains("lower case"), "{}", problems[1]);
}

#[test]
fn two_items_for_one_destination_name_both() {
    let rules = ruleset("all-prefix", "a.example/p,r.example/x:1\na.example/q,R.example/x:1\n");
    let items = [item("a.example/p", "1"), item("a.example/q", "2")];
    assert_eq!(
        problems(&Routing::plan(&rules, &items)),
        ["r.example/x:1 is claimed by 2 items: a.example/p (dest.csv:1), a.example/q (dest.csv:2)"]
    );
}

#[test]
fn latest_and_no_tag_are_one_destination() {
    let rules = ruleset("all-prefix", "a.example/p,r.example/x\na.example/q,r.example/x:latest\n");
    let items = [item("a.example/p", "1"), item("a.example/q", "2")];
    assert_eq!(problems(&Routing::plan(&rules, &items)).len(), 1);
}

#[test]
fn the_same_content_may_share_a_destination() {
    let rules = ruleset("all-prefix", "a.example/p,r.example/x:1\na.example/q,r.example/x:1\n");
    let items = [item("a.example/p", "same"), item("a.example/q", "same")];
    let routing = Routing::plan(&rules, &items);
    assert_eq!(problems(&routing), [""; 0]);
    assert_eq!(routing.len(), 2);
}

#[test]
fn a_destination_that_is_a_source_is_refused() {
    let rules = ruleset("all-prefix", "a.example/p:1,a.example/q:1\n");
    let items = [item("a.example/p:1", "1"), item("a.example/q:1", "2")];
    let routing = Routing::plan(&rules, &items);
    assert_eq!(
        problems(&routing),
        ["a.example/q:1 is the destination of a.example/p:1 (dest.csv:1) and also a source"]
    );
    let Conflict::Source { item, .. } = &routing.conflicts[0] else { panic!("wrong kind") };
    assert_eq!(*item, 1);
}

#[test]
fn platforms_of_one_source_are_joined_and_others_are_not() {
    let rules = ruleset("all-prefix", "a.example/,r.example/\n");
    let items =
        [platform("a.example/p:1", "linux/amd64"), platform("a.example/p:1", "linux/arm64")];
    let routing = Routing::plan(&rules, &items);
    assert_eq!(problems(&routing), [""; 0]);
    let join = Join { destination: "r.example/p:1".to_owned(), items: vec![0, 1] };
    assert_eq!(routing.joins, [join]);

    let mut twice =
        [platform("a.example/p:1", "linux/amd64"), platform("a.example/p:1", "linux/amd64")];
    twice[1].descriptor.digest = Digest::of(b"other");
    assert_eq!(problems(&Routing::plan(&rules, &twice)).len(), 1);
    let no_platform = [item("a.example/p:1", "1"), item("a.example/p:1", "2")];
    assert_eq!(problems(&Routing::plan(&rules, &no_platform)).len(), 1);
}

#[test]
fn rows_know_a_place_in_every_spelling() {
    let table = "a.example/p,r.example/x\na.example/q,R.example/x:latest\na.example/,s.example/\n";
    let statuses = |items: &[Owned]| {
        let rules = ruleset("first-prefix", table);
        let rows: Vec<Row> = Routing::plan(&rules, items).rows(items).collect();
        rows.into_iter().map(|row| (row.status, row.problem.is_some())).collect::<Vec<_>>()
    };
    let items = [item("a.example/p", "1"), item("a.example/q", "2"), item("a.example/r", "3")];
    let conflict = (Status::Conflict, true);
    assert_eq!(statuses(&items), [conflict, conflict, (Status::Routed, false)]);
}

#[test]
fn an_item_in_two_spellings_claims_once() {
    let table = "a.example/p,r.example/p\na.example/p,r.example/p:latest\n";
    let rules = ruleset("all-prefix", table);
    let items = [platform("a.example/p", "linux/amd64"), platform("a.example/p", "linux/arm64")];
    let routing = Routing::plan(&rules, &items);
    assert_eq!(problems(&routing), [""; 0]);
    assert_eq!(routing.joins[0].items, [0, 1]);
    assert!(routing.rows(&items).all(|row| row.status == Status::Joined));
    let items = [item("a.example/p", "1"), item("a.example/p", "2")];
    let problems = problems(&Routing::plan(&rules, &items));
    assert!(problems[0].starts_with("r.example/p is claimed by 2 items: "), "{problems:?}");
}

#[test]
fn platforms_that_were_gathered_twice_are_joined_once() {
    let rules = ruleset("all-prefix", "a.example/,r.example/\n");
    let items = ["amd64", "amd64", "arm64", "arm64"];
    let items = items.map(|arch| platform("a.example/p:1", &format!("linux/{arch}")));
    let routing = Routing::plan(&rules, &items);
    assert_eq!(problems(&routing), [""; 0]);
    assert_eq!(routing.joins.len(), 1);
}

#[test]
fn rows_explain_every_item() {
    let rules = ruleset(
        "all-prefix",
        "a.example/p,r.example/x:1\na.example/q,r.example/x:1\na.example/b,r.example/B\na.example/q,s.example/q:1\n",
    );
    let items = [
        item("a.example/p", "1"),
        item("a.example/q", "2"),
        item("a.example/b", "3"),
        item("c.example/n", "4"),
    ];
    let routing = Routing::plan(&rules, &items);
    let rows: Vec<Row> = routing.rows(&items).collect();
    let short: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.source.as_str(), row.destination.as_deref(), row.rule.as_deref(), row.status)
        })
        .collect();
    assert_eq!(
        short,
        [
            ("a.example/p", Some("r.example/x:1"), Some("dest.csv:1"), Status::Conflict),
            ("a.example/q", Some("r.example/x:1"), Some("dest.csv:2"), Status::Conflict),
            ("a.example/q", Some("s.example/q:1"), Some("dest.csv:4"), Status::Routed),
            ("a.example/b", Some("r.example/B"), Some("dest.csv:3"), Status::Invalid),
            ("c.example/n", None, None, Status::Unmatched),
        ]
    );
    let json = serde_json::to_value(&rows[4]).unwrap();
    assert_eq!(json["status"], "unmatched");
    assert_eq!(json["destination"], serde_json::Value::Null);
}

fn sources() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab]\\.example/[a-c]{1,2}(/[ab])?(:[12])?", 0..12)
}

fn tables() -> impl Strategy<Value = String> {
    let line = "([ab]\\.example/[a-c]{0,1}|),[rab]\\.example/[a-cX]{0,2}/?(:1)?";
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    /// Routing gives an answer for everything, the same each time, whatever the items' order.
    #[test]
    fn total_deterministic_and_independent_of_order(
        sources in sources(),
        table in tables(),
        kind in prop::sample::select(vec!["all-prefix", "first-prefix", "longest-prefix"]),
        turn in 0usize..12,
    ) {
        let rules = ruleset(kind, &table);
        let items: Vec<Owned> = sources.iter().map(|source| item(source, source)).collect();
        let mut turned: Vec<Owned> = sources.iter().map(|source| item(source, source)).collect();
        turned.rotate_left(if items.is_empty() { 0 } else { turn % items.len() });
        let rows = |items: &[Owned]| {
            let routing = Routing::plan(&rules, items);
            let mut rows: Vec<_> = routing
                .rows(items)
                .map(|row| (row.source, row.destination, row.rule, row.status as u8))
                .collect();
            rows.sort();
            let mut places: Vec<String> =
                routing.conflicts.iter().map(|c| c.destination().to_owned()).collect();
            places.sort();
            (rows, places, routing.unmatched.len(), routing.invalid.len())
        };
        let once = rows(&items);
        prop_assert_eq!(&once, &rows(&items));
        prop_assert_eq!(&once, &rows(&turned));
    }

    /// What a plan says of an item is what the ruleset says of it alone.
    #[test]
    fn a_plan_agrees_with_single_items(sources in sources(), table in tables()) {
        let rules = ruleset("all-prefix", &table);
        let items: Vec<Owned> = sources.iter().map(|source| item(source, source)).collect();
        let routing = Routing::plan(&rules, &items);
        for (position, item) in items.iter().enumerate() {
            let invalid = routing.invalid.iter().any(|(other, _)| *other == position);
            match rules.route(item) {
                Ok(alone) => {
                    prop_assert!(!invalid);
                    let planned = routing.destinations(position, item).unwrap();
                    prop_assert_eq!(routing.unmatched.contains(&position), alone.is_empty());
                    prop_assert_eq!(planned, alone);
                }
                Err(_) => prop_assert!(invalid),
            }
        }
    }
}
