//! The help of every command: examples that the parser takes, and the exit codes.

use clap::Command;

use crate::cli::definition;

/// The words of an example, from the program's name on: what is piped into it is left out.
fn words(line: &str) -> Vec<String> {
    let own = line.split(" | ").find(|part| part.trim_start().starts_with("airlift "));
    let own = own.unwrap_or(line).trim();
    let own = own.split(" > ").next().unwrap_or(own).split(" < ").next().unwrap_or(own);
    let (mut words, mut quoted) = (vec![String::new()], None);
    for char in own.chars() {
        match (quoted, char) {
            (Some(quote), char) if char == quote => quoted = None,
            (None, '\'' | '"') => quoted = Some(char),
            (None, ' ') => words.push(String::new()),
            (_, char) => words.last_mut().expect("one").push(char),
        }
    }
    words.retain(|word| !word.is_empty());
    // Variables in front of the program's name are the shell's.
    let program = words.iter().position(|word| word == "airlift").unwrap_or_default();
    words.split_off(program)
}

fn check(command: &Command) {
    let name = command.get_name();
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let (examples, codes) = help.split_once("Exit codes:").unwrap_or((&help, ""));
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "130 "] {
        assert!(codes.lines().any(|line| line.trim_start().starts_with(code)), "{name}: {code}");
    }
    let examples = examples.replace(" \\\n", " ");
    let examples: Vec<&str> = examples.lines().filter(|line| line.contains("airlift ")).collect();
    assert!(examples.len() >= 2, "{name} has {} examples", examples.len());
    for example in examples {
        let words = words(example);
        assert_eq!(words.get(1).map(String::as_str), Some(name), "{example}");
        if let Err(error) = definition().try_get_matches_from(words) {
            panic!("{example}\n{error}");
        }
    }
}

#[test]
fn every_command_has_two_examples_that_parse_and_its_exit_codes() {
    let definition = definition();
    let commands: Vec<&Command> = definition.get_subcommands().collect();
    assert!(commands.len() > 20);
    for command in commands {
        // `mirror` is the group of the others, `help` is clap's own.
        if !matches!(command.get_name(), "mirror" | "help") {
            check(command);
        }
    }
}
