//! What real Go makes of templates, compared byte for byte; `data/go-template/README.md` says where the cases come from.

#![allow(clippy::unwrap_used)]

use airlift_rules::gotemplate::{DescriptorData, GoTemplate};
use serde::Deserialize;

/// The only group that is refused: functions that make keys, certificates and passwords.
const REFUSED_GROUP: &str = "sprig/crypto";

#[derive(Deserialize)]
struct Case {
    id: String,
    group: String,
    template: String,
    descriptor: serde_json::Value,
    output: Option<String>,
    stage: Option<String>,
    message: Option<String>,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Output(String),
    Failure(&'static str, String),
}

fn render(case: &Case) -> Outcome {
    let template = match GoTemplate::parse("rules.tmpl", &case.template) {
        Ok(template) => template,
        Err(error) => return Outcome::Failure("parse", error.to_string()),
    };
    let data = DescriptorData::from_json(case.descriptor.clone()).unwrap();
    match template.render(&data) {
        Ok(output) => Outcome::Output(output),
        Err(error) => Outcome::Failure("exec", error.to_string()),
    }
}

/// What is wrong with a case, if anything.
fn problem(case: &Case) -> Option<String> {
    let got = render(case);
    let as_expected = match (&got, &case.output, case.stage.as_deref()) {
        (Outcome::Output(got), Some(wanted), _) => got == wanted,
        (Outcome::Failure(got, _), None, Some(wanted)) => *got == wanted,
        _ => false,
    };
    if as_expected {
        return None;
    }
    let wanted = case.output.as_ref().or(case.message.as_ref());
    Some(format!(
        "{}\n  template {:?}\n  wanted   {:?} {:?}\n  got      {got:?}",
        case.id, case.template, case.stage, wanted
    ))
}

fn check(file: &str) {
    let path = format!("{}/tests/data/go-template/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let known = cases.iter().filter(|case| case.group != REFUSED_GROUP);
    let problems: Vec<String> = known.filter_map(problem).collect();
    assert!(
        problems.is_empty(),
        "{} of {} cases:\n{}",
        problems.len(),
        cases.len(),
        problems.join("\n")
    );
}

#[test]
fn the_collection() {
    check("cases.jsonl");
}

#[test]
fn further_cases() {
    check("more.jsonl");
}

#[test]
fn refused_functions_say_so() {
    let template = GoTemplate::parse("rules.tmpl", r#"{{ genPrivateKey "rsa" }}"#).unwrap();
    let error = template.render(&DescriptorData::default()).unwrap_err().to_string();
    assert!(error.contains("not available in rules"), "{error}");
}
