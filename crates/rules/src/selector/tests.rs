//! Tests of `selector`.

use proptest::prelude::*;

use super::*;

fn labels(text: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    text.split(';').filter_map(pair).collect()
}

fn matches(selector: &str, of: &str) -> bool {
    Selector::parse(selector).unwrap().matches(&labels(of))
}

fn error(selector: &str) -> (usize, String) {
    let error = Selector::parse(selector).unwrap_err();
    (error.column, error.fault)
}

#[test]
fn every_operator() {
    let of = "team=core;tier=;order=10;example.com/env=prod;in=x";
    for yes in [
        "",
        "  ",
        "team=core",
        "team==core",
        "team = core",
        "team!=edge",
        "none!=edge",
        "team in (core)",
        "team in ( edge , core )",
        "team notin (edge)",
        "none notin (edge)",
        "team",
        "!none",
        "! none",
        "tier=",
        "tier in (a,)",
        "tier in ()",
        "team notin ()",
        "none notin ( )",
        "tier=,team",
        "order>9",
        "order<11",
        "example.com/env=prod",
        "team=core,!none,order>9",
        "in=x",
        "in in (x)",
        "\"team=core,order\"",
    ] {
        assert!(matches(yes, of), "{yes}");
    }
    for no in [
        "team=edge",
        "team!=core",
        "team in (edge,x)",
        "team notin (core,x)",
        "team in ()",
        "none in ()",
        "tier notin ()",
        "none",
        "!team",
        "none=",
        "order>10",
        "order<10",
        "team>1",
        "none<1",
        "team=core,none",
        "team== x",
    ] {
        assert!(!matches(no, of), "{no}");
    }
}

#[test]
fn several_selectors_are_or_and_none_is_all() {
    let both = Selectors::parse(&["team=a,tier=x", "team=b"]).unwrap();
    assert!(both.matches(&labels("team=b")));
    assert!(both.matches(&labels("team=a;tier=x")));
    assert!(!both.matches(&labels("team=a;tier=y")));
    assert!(Selectors::default().matches(&labels("")));
    assert!(Selectors::parse(&["team=a", "team in ("]).is_err());
}

#[test]
fn errors_point_at_the_character() {
    for (selector, column, fault) in [
        ("team in (a", 11, "expected ',' or ')', found the end"),
        ("team in a", 9, "expected '(', found \"a\""),
        ("team=a,", 8, "expected a label's name, found the end"),
        (",team", 1, "expected a label's name, found \",\""),
        ("team a", 6, "'notin', ',' or the end, found \"a\""),
        ("team=a b", 8, "expected ',' or the end, found \"b\""),
        ("!team=a", 6, "expected ',' or the end, found \"=\""),
        ("order>x", 7, "no whole number"),
        ("order>", 7, "expected a whole number, found the end"),
        ("a=-b", 3, "no label's value"),
        ("_a=b", 1, "no label's name"),
        ("Ex.com/a=b", 1, "DNS name"),
        ("/a=b", 1, "DNS name"),
        ("a/=b", 1, "no label's name"),
        ("ä=b", 1, "no label's name"),
        ("a=b,\u{e9}", 5, "no label's name"),
        ("a===b", 4, "expected a value, found \"=\""),
        ("\"a=b,\"", 6, "expected a label's name, found the end"),
        ("\"a=b\",c", 1, "no label's name"),
    ] {
        let (at, text) = error(selector);
        assert!(at == column && text.contains(fault), "{selector}: {at} {text}");
    }
    let long = format!("a={}", "x".repeat(64));
    assert_eq!(error(&long).0, 3);
    let shown = Selector::parse("team in a").unwrap_err().to_string();
    assert!(shown.ends_with("\n  team in a\n          ^"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_place_in_it(text in "[a-c=!(), <>in\"é-]{0,16}") {
        if let Err(error) = Selector::parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column));
        }
    }

    /// `!=` and `notin` are the opposites of `=` and `in` for any labels.
    #[test]
    fn opposites(key in "[ab]", values in prop::collection::vec("[xy]", 1..3), of in "([ab]=[xyz];){0,2}") {
        let set = values.join(",");
        prop_assert_ne!(
            matches(&format!("{key} in ({set})"), &of),
            matches(&format!("{key} notin ({set})"), &of)
        );
        prop_assert_ne!(matches(&key, &of), matches(&format!("!{key}"), &of));
    }
}
