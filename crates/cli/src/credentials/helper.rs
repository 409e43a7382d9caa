//! Docker's credential helpers: programs `docker-credential-NAME` that keep secrets elsewhere.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::json;

/// Gives a login to a helper.
pub(super) fn store(helper: &str, server: &str, user: &str, secret: &str) -> anyhow::Result<()> {
    let message = json!({ "ServerURL": server, "Username": user, "Secret": secret }).to_string();
    let (ok, answer) = ask(helper, "store", &message)?;
    if !ok {
        bail!("docker-credential-{helper} did not store the login: {answer}");
    }
    Ok(())
}

/// Lets a helper forget a login. `false`: it had none.
pub(super) fn erase(helper: &str, server: &str) -> anyhow::Result<bool> {
    let (ok, answer) = ask(helper, "erase", server)?;
    if !ok && !answer.contains("not found") {
        bail!("docker-credential-{helper} did not forget the login: {answer}");
    }
    Ok(ok)
}

/// Whether the helper was content, and what it said. It never repeats what it was given.
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
    let output = child.wait_with_output().with_context(|| format!("{program} failed"))?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&text).trim().chars().take(300).collect();
    Ok((output.status.success(), text))
}
