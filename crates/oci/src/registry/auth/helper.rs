//! Programs that keep credentials: `docker-credential-NAME get` (docker-credential-helpers).

use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::registry::credential::Credential;
use crate::registry::endpoint::DOCKER_HUB;

/// More than any credentials, in bytes.
const MOST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// The program's name.
pub(super) fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

/// Asks for the credentials of `registry`. `None`: the program knows none. An error is a sentence.
pub(super) async fn get(
    name: &str,
    registry: &str,
    limit: Duration,
) -> Result<Option<Credential>, String> {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err(format!("{name:?} is no name of a credential helper"));
    }
    ask(&program(name), registry, limit).await
}

async fn ask(program: &str, registry: &str, limit: Duration) -> Result<Option<Credential>, String> {
    let run = tokio::time::timeout(limit, run(program, server(registry))).await;
    let output = run
        .map_err(|_| format!("{program} did not answer within {} s", limit.as_secs()))?
        .map_err(|error| format!("{program} could not be run: {error}"))?;
    if !output.status.success() {
        // By the protocol this sentence is the one way to say that there are none.
        let said = String::from_utf8_lossy(&output.stdout).to_ascii_lowercase();
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(format!("{program} failed ({}); run it by hand to see why", output.status));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("{program} answered something that is no credentials"))?;
    let empty = answer.username.is_empty() && answer.secret.is_empty();
    Ok((!empty).then(|| Credential::of_pair(answer.username, answer.secret)))
}

async fn run(program: &str, server: &str) -> std::io::Result<Output> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that answers without reading is fine.
        let _ = stdin.write_all(format!("{server}\n").as_bytes()).await;
    }
    let mut stdout = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MOST + 1).read_to_end(&mut stdout).await?;
    }
    if stdout.len() as u64 > MOST {
        return Err(std::io::Error::other("it answered with more than credentials can be"));
    }
    let status = child.wait().await?;
    Ok(Output { status, stdout, stderr: Vec::new() })
}

/// The key under which docker keeps a registry.
fn server(registry: &str) -> &str {
    if registry == DOCKER_HUB { "https://index.docker.io/v1/" } else { registry }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::registry::secret::Secret;

    const MINUTE: Duration = Duration::from_secs(60);

    /// What comes of asking a program that is this script.
    async fn answer(script: &str, limit: Duration) -> Result<Option<Credential>, String> {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("docker-credential-test");
        // Written by another process: a file that any thread of this one has open cannot be run.
        let write = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#;
        let written = std::process::Command::new("sh")
            .args(["-c", write, "sh", program.to_str().unwrap(), script])
            .status();
        assert!(written.unwrap().success());
        ask(program.to_str().unwrap(), "registry.example.com", limit).await
    }

    fn pair(username: &str, secret: &str) -> Credential {
        Credential::of_pair(username.to_owned(), secret.to_owned())
    }

    #[tokio::test]
    async fn credentials_of_every_kind() {
        let asked = r#"read server; [ "$1 $server" = "get registry.example.com" ] || exit 9"#;
        let script =
            format!(r#"{asked}; echo '{{"ServerURL":"x","Username":"AWS","Secret":"s"}}'"#);
        assert_eq!(answer(&script, MINUTE).await, Ok(Some(pair("AWS", "s"))));
        // A token to be exchanged, as for ACR; and one in place of a password, as for GCR.
        let token = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
        let found = answer(token, MINUTE).await.unwrap();
        assert_eq!(found, Some(Credential::Identity(Secret::new("t"))));
        let token = r#"echo '{"Username":"_dcgcr_0_token","Secret":"t"}'"#;
        assert_eq!(answer(token, MINUTE).await, Ok(Some(pair("_dcgcr_0_token", "t"))));
        let none = "echo 'credentials not found in native keychain'; exit 1";
        assert_eq!(answer(none, MINUTE).await, Ok(None));
        assert_eq!(answer("echo '{}'", MINUTE).await, Ok(None));
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_and_its_secrets_are_not() {
        for (script, said) in [
            ("echo hunter2; exit 3", "run it by hand"),
            ("echo '{\"Secret\": hunter2'", "no credentials"),
            ("echo '\"hunter2\"'", "no credentials"),
            ("exec yes hunter2", "more than credentials"),
            ("kill -9 $$", "failed"),
            ("", "no credentials"),
        ] {
            let error = answer(script, MINUTE).await.unwrap_err();
            assert!(error.contains(said) && !error.contains("hunter2"), "{script}: {error}");
        }
        let error = answer("sleep 30; echo '{}'", Duration::from_millis(300)).await.unwrap_err();
        assert!(error.contains("did not answer within"), "{error}");
        let missing = ask("/nowhere/docker-credential-x", "r", MINUTE).await.unwrap_err();
        assert!(missing.contains("could not be run"), "{missing}");
        let error = get("../../bin/sh", "r", MINUTE).await.unwrap_err();
        assert!(error.contains("no name of a credential helper"), "{error}");
    }
}
