//! Programs that keep credentials: `docker-credential-NAME get` (docker-credential-helpers).

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::registry::credential::Credential;
use crate::registry::endpoint::DOCKER_HUB;

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
    let program = program(name);
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err(format!("{name:?} is no name of a credential helper"));
    }
    let run = tokio::time::timeout(limit, run(&program, server(registry))).await;
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

async fn run(program: &str, server: &str) -> std::io::Result<std::process::Output> {
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
    child.wait_with_output().await
}

/// The key under which docker keeps a registry.
fn server(registry: &str) -> &str {
    if registry == DOCKER_HUB { "https://index.docker.io/v1/" } else { registry }
}
