//! Bad input: every message says what is wrong, where, and what to do next; nothing is begun.

use crate::harness::Place;

#[test]
fn a_wrong_list_of_sources_is_refused_with_its_place() {
    let place = Place::new();
    for (text, wanted) in [
        (
            "nginx:1.27\n",
            "s.list:1:1: \"nginx:1.27\" names no registry; did you mean \"docker.io/library/nginx:1.27\"?",
        ),
        ("# ok\na.io/b:1,team\n", "s.list:2:10: \"team\" is no label"),
        ("a.io/b:1,k=1\na.io/b:1,k=2\n", "stands on line 1 already, with other labels"),
        ("a.io/B:1\n", "must be lower case"),
        ("a.io/b@sha256:12\n", "wrong length"),
        ("\"a.io/b:1\n", "the quotes do not match"),
        ("# nothing\n", "s.list names no source"),
        ("a.io/b:1\ra.io/c:1\r", "s.list:1:9: a control character, '\\r'"),
    ] {
        place.file("s.list", text);
        let ended = place.airlift("gather s.list 127.0.0.1:1/g:1").with(2).says(wanted);
        assert!(ended.err.contains("hint: "), "{}", ended.err);
        assert!(ended.out.is_empty());
        place.airlift("clone s.list nest=127.0.0.1:1").with(2).says(wanted);
    }
    place.airlift("gather none.list 127.0.0.1:1/g:1").with(2).says("reading none.list failed");
}

#[test]
fn wrong_rules_and_selectors_are_refused() {
    let place = Place::new();
    place.file("s.list", "127.0.0.1:1/a:1\n");
    place.file("d.csv", "a.io\n");
    place.file("t.tmpl", "{{ if }}");
    for (rest, wanted) in [
        ("t.tmpl", "say of which kind the file is, as in go-template=t.tmpl"),
        ("go-template=t.tmpl", "hint: put the file right"),
        ("all-prefix=.", "hint: name a file that can be read"),
        ("nest", "is no ruleset: expected KIND=ARGUMENT"),
        ("nset=a.io", "did you mean \"nest\"?"),
        ("all-prefix=none.csv", "cannot read the ruleset file \"none.csv\""),
        ("all-prefix=d.csv", "d.csv"),
        ("nest=a.io -l team=", ""),
        ("nest=a.io -l =x", "hint: as in Kubernetes"),
    ] {
        if wanted.is_empty() {
            continue;
        }
        place.airlift(&format!("clone s.list {rest}")).with(2).says(wanted);
    }
}

#[test]
fn wrong_places_are_refused() {
    let place = Place::new();
    place.file("s.list", "127.0.0.1:1/a:1\n");
    place.airlift("gather s.list g:1").with(2).says("names no registry");
    place.airlift("gather s.list oci:").with(2).says("names no path");
    let digest = format!("a.io/b@sha256:{}", "0".repeat(64));
    place.airlift(&format!("gather s.list {digest}")).with(2).says("is named by digest");
    let both = format!("a.io/b:1@sha256:{}", "0".repeat(64));
    place.airlift(&format!("deserialize x.tar {both}")).with(2).says("is named by digest");
    place.airlift("gather s.list oci-archive:x.tar").with(2).says("an archive is read only");
    place
        .airlift("gather s.list oci:o:1 --report no/r.json")
        .with(2)
        .says("there is no directory no");
    place.airlift("gather s.list oci:o:1 --failed .").with(2).says("it is a directory");
    place.airlift("gather s.list oci:out:1 -a broken").with(2).says("`broken` is no annotation");
    place.airlift("serve somewhere").with(2).says("somewhere cannot be served");
    place.airlift("scatter oci:nowhere:1 nest=a.io").with(2).says("nowhere is not there");
}

#[test]
fn a_wrong_configuration_ends_every_command_before_it_begins() {
    let place = Place::new();
    place.file("s.list", "127.0.0.1:1/a:1\n");
    place.file("airlift.yaml", "concurrentHttp: 3\n");
    for line in ["config", "gather s.list 127.0.0.1:1/g:1", "mirror gather s.list oci:o:1"] {
        place
            .airlift(line)
            .with(2)
            .says("airlift.yaml:1:1: unknown key `concurrentHttp`")
            .says("did you mean `concurrentHTTP`?");
    }
    place.airlift("config --sample").with(0);
    place.airlift("config --config other.yaml").with(2).says("named by --config does not exist");
}

#[test]
fn a_place_that_cannot_be_reached_is_named() {
    let place = Place::new();
    place.file("s.list", "127.0.0.1:1/a:1\n");
    place.file("airlift.yaml", "registryConfig: {endpointConfig: {ftp://x: {}}}\n");
    place.airlift("gather s.list oci:out:1").with(2).says("`ftp://x` is no URL");
}

#[test]
fn a_directory_is_no_input_and_a_wrong_setting_is_told_by_config() {
    let place = Place::new();
    place.airlift("copy --specs .").with(2).says("reading . failed").says("hint: ");
    place.airlift("copy --list .").with(2).says("reading . failed");
    place.file("d/x", "");
    place.airlift("inspect d").with(2).says("d is a directory, and no location").says("oci:DIR");
    for (text, wanted) in [
        ("{endpoints: ['localhost:5000']}", "is no URL"),
        ("{rewritePull: {'(': x}}", "is no pattern"),
    ] {
        place.file("airlift.yaml", format!("registryConfig:\n  docker.io: {text}\n"));
        let ended = place.airlift("config").with(2).says(wanted).says("hint: ");
        assert!(ended.out.contains("docker.io"), "{}", ended.out);
    }
}
