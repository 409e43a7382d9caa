//! Docker's credential helpers: programs `docker-credential-NAME` that keep secrets elsewhere.

use std::io::{IsTerminal, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use airlift_oci::registry::CredentialSources;
use anyhow::{Context, bail};
use serde_json::json;

/// More than any answer, in bytes.
const MOST: usize = 1 << 20;

/// Gives a login to a helper.
pub(super) fn store(helper: &str, server: &str, user: &str, secret: &str) -> anyhow::Result<()> {
    let message = json!({ "ServerURL": server, "Username": user, "Secret": secret }).to_string();
    let (ok, answer) = ask(helper, "store", &message)?;
    if !ok {
        let answer = without(&answer, secret);
        bail!("docker-credential-{helper} did not store the login: {answer}");
    }
    Ok(())
}

/// Lets a helper forget a login. `false`: it had none.
pub(super) fn erase(helper: &str, server: &str) -> anyhow::Result<bool> {
    let (ok, answer) = ask(helper, "erase", server)?;
    if !ok && !answer.contains("not found") {
        let answer: String = answer.chars().take(300).collect();
        bail!("docker-credential-{helper} did not forget the login: {answer}");
    }
    Ok(ok)
}

/// What a helper said, should it repeat the secret that it was given, without that.
fn without(answer: &str, secret: &str) -> String {
    let quoted = json!(secret).to_string();
    let escaped = quoted.trim_matches('"');
    let forms = [secret, escaped].into_iter().filter(|form| !form.is_empty());
    let text = forms.fold(answer.to_owned(), |text, form| text.replace(form, "***"));
    text.trim().chars().take(300).collect()
}

/// Whether the helper was content, and what it said: more than that is never shown whole. At a
/// terminal it may ask a person, who takes as long as it takes.
fn ask(helper: &str, verb: &str, input: &str) -> anyhow::Result<(bool, String)> {
    if helper.contains(['/', '\\']) {
        bail!("`{helper}` is no name of a credential helper");
    }
    let alone = !std::io::stdin().is_terminal();
    let limit = alone.then(|| CredentialSources::default().helper_timeout);
    run(&format!("docker-credential-{helper}"), verb, input, limit)
}

fn run(
    program: &str,
    verb: &str,
    input: &str,
    limit: Option<Duration>,
) -> anyhow::Result<(bool, String)> {
    let until = limit.map(|limit| Instant::now() + limit);
    let mut child = Command::new(program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program} failed: is it installed?"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // A helper that does not read says why in its answer.
        std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let (out, err) = (hear(child.stdout.take()), hear(child.stderr.take()));
    let ended = heard(&out, until).zip(heard(&err, until)).and_then(|(out, err)| {
        if out.len().max(err.len()) >= MOST {
            // It may go on for ever; what it says is of no use.
            let _ = child.kill();
        }
        Some((out, err, end(&mut child, until)?))
    });
    let Some((out, err, status)) = ended else {
        let _ = child.kill();
        let _ = child.wait();
        let seconds = limit.unwrap_or_default().as_secs();
        bail!(
            "{program} did not answer within {seconds} s; if it asks something, run this at a terminal"
        );
    };
    let status = status.with_context(|| format!("{program} failed"))?;
    let text = if out.is_empty() { err } else { out };
    Ok((status.success(), String::from_utf8_lossy(&text).trim().to_owned()))
}

/// Hears one of its outputs, on a thread that nobody waits for: what a helper started in its turn
/// may keep the output open after the helper's end.
fn hear(output: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    // Nobody listens when the helper was given up.
    std::thread::spawn(move || sender.send(said(output)));
    receiver
}

/// What was heard; `None`: it says nothing in time.
fn heard(output: &Receiver<Vec<u8>>, until: Option<Instant>) -> Option<Vec<u8>> {
    let Some(until) = until else { return Some(output.recv().unwrap_or_default()) };
    match output.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Err(RecvTimeoutError::Timeout) => None,
        text => Some(text.unwrap_or_default()),
    }
}

/// How it ended; `None`: it does not in time.
fn end(child: &mut Child, until: Option<Instant>) -> Option<std::io::Result<ExitStatus>> {
    let Some(until) = until else { return Some(child.wait()) };
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => return None,
            Ok(Some(status)) => return Some(Ok(status)),
            Err(error) => return Some(Err(error)),
        }
    }
}

/// What a helper says on one of its outputs, as far as it can be an answer.
fn said(output: Option<impl Read>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(output) = output {
        // What could not be read was not said.
        let _ = output.take(MOST as u64).read_to_end(&mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, run, said, without};

    #[test]
    fn a_helper_that_repeats_the_secret_does_not_give_it_away() {
        let answer = r#"cannot keep {"Secret":"hunt\"er2"} (hunt"er2)"#;
        assert_eq!(without(answer, "hunt\"er2"), r#"cannot keep {"Secret":"***"} (***)"#);
        assert_eq!(without("a sentence", ""), "a sentence");
    }

    #[test]
    fn an_answer_without_end_is_cut() {
        assert_eq!(said(Some(std::io::repeat(b'y'))).len(), super::MOST);
        assert!(said(None::<&[u8]>).is_empty());
    }

    #[test]
    fn a_helper_that_says_nothing_is_given_up_where_it_can_ask_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("helper");
        let limit = Duration::from_millis(300);
        let silent =
            ["exec sleep 60", "sleep 60", "exec >&- 2>&-; exec sleep 60", "sleep 60 & exit 0"];
        for text in silent {
            std::fs::write(&script, text).unwrap();
            let begun = Instant::now();
            let error = run("sh", script.to_str().unwrap(), "hunter2", Some(limit)).unwrap_err();
            assert!(begun.elapsed() < Duration::from_secs(30), "{text}");
            let error = error.to_string();
            assert!(error.contains("did not answer") && !error.contains("hunter2"), "{error}");
        }
        std::fs::write(&script, "read it; echo \"$it\"").unwrap();
        for limit in [None, Some(100 * limit)] {
            let said = run("sh", script.to_str().unwrap(), "hello\n", limit).unwrap();
            assert_eq!(said, (true, "hello".to_owned()));
        }
    }
}
