//! No template hangs, exhausts the machine or brings the process down.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use airlift_rules::gotemplate::{DescriptorData, GoTemplate};
use proptest::prelude::*;

fn render(text: &str) -> Result<String, String> {
    let template = GoTemplate::parse("rules.tmpl", text).map_err(|error| error.to_string())?;
    let data = serde_json::json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "size": 7,
        "annotations": {"vnd.act3-ace.manifest.source": "quay.io/ceph/ceph:v17.2"},
    });
    template.render(&DescriptorData::from_json(data).unwrap()).map_err(|error| error.to_string())
}

#[track_caller]
fn stops(text: &str, why: &str) {
    let start = Instant::now();
    let error = render(text).unwrap_err();
    assert!(error.contains(why), "{error}");
    assert!(error.starts_with("template: rules.tmpl"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(120), "{:?}", start.elapsed());
}

#[test]
fn endless_loops_stop() {
    stops("{{ range 9223372036854775807 }}{{ end }}", "steps");
    stops("{{ range until 10000 }}{{ range until 10000 }}{{ end }}{{ end }}", "more than");
}

#[test]
fn memory_is_bounded() {
    stops("{{ repeat 1000000000000 \"x\" }}", "memory");
    stops("{{ until 1000000000 }}", "more than");
    stops(
        "{{ $s := \"0123456789\" }}{{ range 64 }}{{ $s = cat $s $s }}{{ end }}{{ $s }}",
        "memory",
    );
    stops("{{ $l := list 1 }}{{ range 64 }}{{ $l = list $l $l }}{{ end }}{{ $l }}", "more than");
    stops(
        "{{ $s := repeat 100000 \"a\" }}{{ regexReplaceAll \"a\" $s (repeat 100000 \"b\") }}",
        "memory",
    );
    stops("{{ $s := repeat 1000000 \"a\" }}{{ range 100 }}{{ $s }}{{ end }}", "output");
}

#[test]
fn values_that_contain_themselves_are_no_trap() {
    for function in ["print", "toJson", "deepCopy", "deepEqual (deepCopy (dict))", "merge (dict) "]
    {
        let _ = render(&format!(
            "{{{{ $d := dict }}}}{{{{ $_ := set $d \"d\" $d }}}}{{{{ $e := {function} $d }}}}ok"
        ));
    }
    stops("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}", "nested");
    stops("{{ $l := list }}{{ range 100000 }}{{ $l = list $l }}{{ end }}{{ $l }}", "nested");
}

#[test]
fn nesting_is_bounded() {
    stops(&format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)), "nested");
    stops(&"{{ if true }}".repeat(100_000), "nested");
    stops("{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}", "depth");
    stops(&format!("{{{{ mustFromJson `{}` }}}}", "[".repeat(100_000)), "nested");
    stops(&format!("{{{{ mustRegexMatch `{}` `x` }}}}", "(".repeat(100_000)), "nests");
}

#[test]
fn what_people_write_is_well_within_the_bounds() {
    assert_eq!(
        render(&format!("{{{{ {}1{} }}}}", "(".repeat(200), ")".repeat(200))),
        Ok("1".to_owned())
    );
    let recursion = "{{ define \"r\" }}{{ if gt . 0 }}{{ template \"r\" (int (sub . 1)) }}{{ else }}done{{ end }}{{ end }}{{ template \"r\" 3000 }}";
    assert_eq!(render(recursion), Ok("done".to_owned()));
    let mut chain = "{{ if eq .Size 0 }}0".to_owned();
    for size in 1..200 {
        write!(chain, "{{{{ else if eq .Size {size} }}}}{size}").unwrap();
    }
    assert_eq!(render(&(chain + "{{ end }}")), Ok("7".to_owned()));
}

#[test]
fn one_template_serves_many_threads() {
    let template =
        GoTemplate::parse("rules.tmpl", "{{ regexReplaceAll `e+` .MediaType `E` }}").unwrap();
    let data = DescriptorData { media_type: "tree".to_owned(), ..DescriptorData::default() };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(template.render(&data).unwrap(), "trE"));
        }
    });
}

/// Pieces of which templates are made, so that chance finds more than parse errors.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "{{",
        "}}",
        "{{-",
        "-}}",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "template",
        "block",
        "break",
        "(",
        ")",
        "|",
        ":=",
        "=",
        ",",
        "$",
        "$x",
        ".",
        ".Size",
        ".Digest",
        ".Annotations",
        ".Platform.OS",
        "nil",
        "true",
        "1",
        "-1",
        "1.5",
        "'a'",
        "\"t\"",
        "`a+`",
        "\"%5.2v%d\"",
        "list",
        "dict",
        "print",
        "printf",
        "index",
        "len",
        "slice",
        "substr",
        "regexFindAll",
        "toDate",
        "semver",
        "semverCompare",
        "merge",
        "dig",
        "chunk",
        "trunc",
        "wrap",
        "abbrevboth",
        "urlParse",
        "urlJoin",
        "b32dec",
        "b64dec",
        "round",
        "divf",
        "seq",
        "untilStep",
        "tag",
        "fromJson",
        "toJson",
        "duration",
        "splitn",
        "nindent",
        "html",
        "eq",
        "lt",
        "and",
        "or",
        "not",
        "call",
        "\n",
    ];
    prop_oneof![4 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_brings_the_process_down(text in "\\PC{0,80}") {
        let _ = render(&text);
        let _ = render(&format!("{{{{ {text} }}}}"));
    }

    #[test]
    fn no_template_brings_the_process_down(pieces in proptest::collection::vec(piece(), 0..24)) {
        let _ = render(&pieces.join(" "));
        let _ = render(&format!("{{{{ {} }}}}", pieces.join(" ")));
    }

    #[test]
    fn no_argument_brings_a_function_down(
        function in proptest::sample::select(vec!["substr 2 5", "trunc -3", "wrap 3", "abbrev 5", "abbrevboth 5 9", "splitn `a` 2", "b64dec",
            "b32dec", "fromJson", "semver", "urlParse", "tag", "mustToDate `2006-01-02 15:04:05.000 MST -0700`", "mustToDate", "duration", "durationRound",
            "snakecase", "camelcase", "title", "mustRegexMatch", "semverCompare", "printf", "initials", "indent 2", "toDecimal", "int", "float64"]),
        argument in "\\PC{0,40}",
    ) {
        let quoted = serde_json::to_string(&argument).unwrap();
        let _ = render(&format!("{{{{ {function} {quoted} }}}}"));
        let _ = render(&format!("{{{{ {function} {quoted} {quoted} }}}}"));
    }
}
