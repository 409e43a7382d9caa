//! Tests of `ruleset`.

use airlift_oci::types::{Descriptor, Digest, media};

use super::*;

fn parse(text: &str, file: &str) -> Result<Ruleset, RulesetError> {
    let read = |path: &str| match path {
        "absent" => Err(io::Error::from(io::ErrorKind::NotFound)),
        _ => Ok(file.to_owned()),
    };
    Ruleset::parse(text, &read)
}

fn error(text: &str) -> String {
    parse(text, "x").unwrap_err().to_string()
}

fn route_with(rules: &Ruleset, source: &str, index: Option<&Digest>) -> Vec<String> {
    let descriptor = Descriptor::of(media::OCI_MANIFEST, b"content");
    let origin = Origin { source, descriptor: &descriptor, source_index: index };
    let text = |to: &Destination| format!("{} by {}", to.reference, to.rule);
    rules.route(&origin).unwrap().iter().map(text).collect()
}

fn route(rules: &Ruleset, source: &str) -> Vec<String> {
    route_with(rules, source, None)
}

#[test]
fn malformed_rulesets_say_what_was_meant() {
    assert!(error("nest").contains("expected KIND=ARGUMENT"));
    assert!(error("digest=f").contains("did you mean \"digests\"?"));
    assert!(error("no-such-kind=f").contains("the kinds are nest, all-prefix"));
    assert_eq!(error("nest="), "nest= needs a REPOSITORY behind it");
    assert_eq!(error("all-prefix="), "all-prefix= needs a FILE behind it");
    assert!(error("all-prefix=absent").contains("cannot read the ruleset file \"absent\""));
    assert!(error("all-prefix=f").starts_with("f:1:2: expected two fields"));
    assert!(error("digests=f").starts_with("f:1:2: "));
    for bad in ["nest=Upper.example/Repo", "nest=r.example/a:1", "nest=word", "nest=/"] {
        assert!(matches!(parse(bad, ""), Err(RulesetError::Nest { .. })), "{bad}");
    }
    let url = parse("nest=http://r.example:5000/low", "").unwrap_err();
    let cause = std::error::Error::source(&url).map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("invalid registry \"http:\""), "{cause}");
}

#[test]
fn nest_turns_a_port_into_part_of_a_name() {
    let rules = parse("nest=r.example//low//", "").unwrap();
    assert_eq!(
        route(&rules, "Beta.example:5000/edge/twin:1"),
        ["r.example/low/beta.example_5000/edge/twin:1 by nest=r.example//low//"]
    );
    assert_eq!(route(&rules, "a.example/b").len(), 1);
    for (host, path) in [
        ("[::1]:5000", "ip6---1_5000"),
        ("[fe80::]", "ip6-fe80--0"),
        ("[2001:db8::7]", "ip6-2001-db8--7"),
    ] {
        let to = format!("r.example/low/{path}/a:1 by nest=r.example//low//");
        assert_eq!(route(&rules, &format!("{host}/a:1")), [to]);
    }
}

#[test]
fn nest_refuses_sources_that_are_no_reference() {
    let descriptor = Descriptor::of(media::OCI_MANIFEST, b"content");
    let origin = Origin { source: "oci:dir:1", descriptor: &descriptor, source_index: None };
    let error = parse("nest=r.example", "").unwrap().route(&origin).unwrap_err();
    assert!(error.to_string().contains("\"oci:dir:1\""), "{error}");
}

#[test]
fn digests_match_the_source_index_and_a_slash_takes_the_path() {
    let own = Digest::of(b"content");
    let index = Digest::of(b"index");
    let table = format!("{index},r.example/i/\n{own},r.example/own:1\n{own},r.example/own:1\n");
    let rules = parse("digests=d.csv", &table).unwrap();
    assert_eq!(route(&rules, "a.example/b/c:1"), ["r.example/own:1 by d.csv:2"]);
    assert_eq!(
        route_with(&rules, "a.example/b/c:1", Some(&index)),
        ["r.example/i/b/c:1 by d.csv:1", "r.example/own:1 by d.csv:2"]
    );
    let blank = parse("digests=d.csv", &format!("{own},")).unwrap_err().to_string();
    assert!(blank.contains("d.csv:1:73: the destination is blank"), "{blank}");
}

#[test]
fn a_destination_by_digest_is_the_items_own() {
    let own = Digest::of(b"content");
    let index = Digest::of(b"index");
    let rules = parse("all-prefix=f", "a.example/,r.example/").unwrap();
    assert_eq!(
        route_with(&rules, &format!("a.example/b@{index}"), Some(&index)),
        [format!("r.example/b@{own} by f:1")]
    );
    let descriptor = Descriptor::of(media::OCI_MANIFEST, b"content");
    let source = format!("a.example/b@{index}");
    let origin = Origin { source: &source, descriptor: &descriptor, source_index: None };
    assert!(matches!(rules.route(&origin), Err(RouteError::OtherDigest { .. })));
}

#[test]
fn endless_destinations_are_cut_short() {
    let rules = parse("all-prefix=f", &format!("a,{}", "x".repeat(9000))).unwrap();
    let descriptor = Descriptor::of(media::OCI_MANIFEST, b"content");
    let origin = Origin { source: "a.example/b", descriptor: &descriptor, source_index: None };
    let error = rules.route(&origin).unwrap_err();
    assert!(matches!(error, RouteError::TooLong { length: 9010, .. }), "{error}");
    assert!(error.to_string().len() < 300);
}

#[test]
fn a_template_that_fails_names_file_line_and_item() {
    let descriptor = Descriptor::of(media::OCI_MANIFEST, b"content");
    let origin = Origin { source: "a.example/b", descriptor: &descriptor, source_index: None };
    for (kind, text) in [
        ("go-template", "{{/* */}}\n{{ fail \"no\" }}"),
        ("template", "{# #}\n{{ throw(message='no') }}"),
    ] {
        let error = parse(&format!("{kind}=f.tmpl"), text).unwrap().route(&origin).unwrap_err();
        assert_eq!(error.to_string(), "f.tmpl:2: the template fails for a.example/b");
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("no"));
    }
    for kind in ["go-template", "template"] {
        let error = parse(&format!("{kind}=f.tmpl"), "a\n{{ ( }}").unwrap_err().to_string();
        assert_eq!(error, "f.tmpl:2: the template cannot be read", "{kind}");
        let rules =
            parse(&format!("{kind}=f.tmpl"), "\r\n  r.example/a:1 \r\n\r\n r.example/b\n").unwrap();
        assert_eq!(
            route(&rules, "a.example/b"),
            ["r.example/a:1 by f.tmpl", "r.example/b by f.tmpl"]
        );
    }
}
