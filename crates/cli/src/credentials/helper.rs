//! Docker's credential helpers: programs `docker-credential-NAME` that keep secrets elsewhere.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

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

/// Whether the helper was content, and what it said: more than that is never shown whole.
fn ask(helper: &str, verb: &str, input: &str) -> anyhow::Result<(bool, String)> {
    if helper.contains(['/', '\\']) {
        bail!("`{helper}` is no name of a credential helper");
    }
    let program = format!("docker-credential-{helper}");
    let mut child = Command::new(&program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program} failed: is it installed?"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read says why in its answer.
        let _ = stdin.write_all(input.as_bytes());
    }
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = std::thread::scope(|scope| {
        let err = scope.spawn(|| said(err));
        (said(out), err.join().unwrap_or_default())
    });
    if out.len().max(err.len()) >= MOST {
        // It may go on for ever; what it says is of no use.
        let _ = child.kill();
    }
    let status = child.wait().with_context(|| format!("{program} failed"))?;
    let text = if out.is_empty() { err } else { out };
    Ok((status.success(), String::from_utf8_lossy(&text).trim().to_owned()))
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
    use super::{said, without};

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
}
