//! Tests of `template`.

use airlift_oci::types::Digest;
use proptest::prelude::*;

use super::*;

fn render(text: &str) -> Result<String, Fault> {
    let mut descriptor = Descriptor::of(media::OCI_MANIFEST, b"x");
    let source = "a.example:5000/team/app:v1.2";
    descriptor.annotations.insert(media::SOURCE.to_owned(), source.to_owned());
    descriptor.annotations.insert(media::LABELS.to_owned(), r#"{"team":"core"}"#.to_owned());
    descriptor.platform = Some(Box::new("linux/arm64".parse().unwrap()));
    let origin = Origin { source, descriptor: &descriptor, source_index: None };
    Template::parse(text)?.render(&origin)
}

fn error(text: &str) -> (Option<u32>, String) {
    let fault = render(text).unwrap_err();
    (fault.line, fault.message)
}

#[test]
fn data_and_functions() {
    for (template, output) in [
        (r#"{{ annotations["vnd.act3-ace.manifest.source"] }}"#, "a.example:5000/team/app:v1.2"),
        (r#"{{ Annotations["vnd.act3-ace.manifest.source"] }}"#, "a.example:5000/team/app:v1.2"),
        ("{{ source | registry }}|{{ registry(of=source) }}", "a.example:5000|a.example:5000"),
        ("{{ repository() }}:{{ tag() }}", "team/app:v1.2"),
        ("{{ source | package }} {{ 'r.example/a@sha256:00' | tag }}", "team/app:v1.2 sha256:00"),
        ("{{ 'r.example/a' | tag }}{{ 'r.example/a' | Repository }}", "a"),
        ("{{ labels.team }} {{ platform.os }} {{ Platform.Architecture }}", "core linux arm64"),
        ("{{ digest }}", Digest::of(b"x").as_str()),
        ("{% for p in [1, 2] -%}  {{ p }} {%- endfor %}", "12"),
        ("{% for p in [1, 2] %} {{ p }}{% endfor %}", " 1 2"),
        (
            "{% set a = 'x' %} {{ a ~ 'y' }}{# {% for #}{% raw %}{% for %}{% endraw %}",
            " xy{% for %}",
        ),
        ("{{ '<&>' }}{{ '}}' }}", "<&>}}"),
        ("{{ 'a-b' | replace(from='-', to='+') }} {{ ['a', 'b'] | join(sep='/') }}", "a+b a/b"),
        ("{% set x = nothing %}{{ x | default(value='d') }}", "d"),
    ] {
        assert_eq!(render(template).as_deref(), Ok(output), "{template}");
    }
}

#[test]
fn errors_name_the_line() {
    assert_eq!(error("\n{{ nothing.at.all }}").0, Some(2));
    assert_eq!(error("a\nb\n{% if %}").0, Some(3));
    assert_eq!(error("\n\n{% include 'x' %}").0, Some(3));
    assert!(error("{{ 'word' | tag }}").1.contains("\"word\" is no reference"));
    assert!(error("{{ now() }}").1.contains("now"));
    assert!(error("{{ get_env(name='HOME') }}").1.contains("get_env"));
}

#[test]
fn nothing_runs_or_grows_without_end() {
    let nested = "{% for a in range(end=1000) %}".repeat(4) + &"{% endfor %}".repeat(4);
    assert!(error(&nested).1.contains("passes"), "{:?}", error(&nested));
    let doubling = "{% set_global x = 'ab' %}{% for a in range(end=60) %}{% set_global x = x ~ x %}{% endfor %}";
    assert!(error(doubling).1.contains("grows beyond"), "{:?}", error(doubling));
    let lists = "{% set_global x = [1] %}{% for a in range(end=60) %}{% set_global x = [x, x] %}{% endfor %}";
    assert!(error(lists).1.contains("grows beyond"), "{:?}", error(lists));
    let square = "{% set x = range(end=9000) | join(sep='ab') %}{{ x | replace(from='ab', to=x) }}";
    assert!(error(square).1.contains("longer than"), "{:?}", error(square));
    let much = "{% for a in range(end=9999) %}{{ 'x' ~ source ~ source ~ source ~ source ~ source ~ source }}{% endfor %}";
    assert!(error(much).1.contains("more than 1048576 bytes"), "{:?}", error(much));
    for refused in [
        "{{ [a for a in range(end=9)] }}",
        "{% set x %}y{% endset %}",
        "{% filter upper %}x{% endfilter %}",
        "{% block a %}{% endblock %}",
        "{% component a() %}{% endcomponent %}",
    ] {
        assert!(error(refused).1.contains("rule file"), "{refused}: {:?}", error(refused));
    }
}

#[test]
fn nesting_is_an_error_not_an_overflow() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("not ", "1", ""),
        ("-", "1", ""),
        ("1 + ", "1", ""),
        ("1 ~ ", "1", ""),
        ("1 and ", "1", ""),
        ("1 if 1 else ", "1", ""),
        ("a.", "b", ""),
        ("1 == ", "1", ""),
        ("2 ** ", "1", ""),
        ("", "1", "[0]"),
        ("", "1", "|str"),
    ] {
        for count in [50, 500, 2000] {
            let text = format!("{{{{ {}{middle}{} }}}}", open.repeat(count), close.repeat(count));
            let _ = render(&text);
        }
    }
    let ifs = "{% if 1 %}".repeat(5000) + &"{% endif %}".repeat(5000);
    assert!(render(&ifs).is_err());
    let elifs = "{% if 0 %}".to_owned() + &"{% elif 0 %}".repeat(201) + "{% endif %}";
    assert!(error(&elifs).1.contains("200 'elif'"));
    let elifs = "{% if 0 %}".to_owned() + &"{% elif 0 %}".repeat(200) + "{% else %}x{% endif %}";
    assert_eq!(render(&elifs).as_deref(), Ok("x"));
}

proptest! {
    #[test]
    fn any_template_ends(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{{", "}}", "{%", "%}", "{#", "#}", "-", " for a in range(end=999) ", " endfor ", " set x = ",
            " set_global x = ", "x ~ x", "'", "\"", "\\", "x", " if x ", " endif ", " raw ", " endraw ",
            "{% for a in range(end=999) %}", "{% endfor %}", "{% set_global x = x ~ 'ab' ~ x %}",
            "{{ x }}", "é", "\n", "|replace(from='a', to=x)", "[x, x]",
        ]), 0..24),
    ) {
        let _ = render(&format!("{{% set_global x = 'ab' %}}{}", pieces.concat()));
    }
}
