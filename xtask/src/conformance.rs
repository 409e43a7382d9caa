//! `cargo xtask conformance`: the specification's own test suite against `airlift serve`.
//!
//! The suite is built from its public source with Go: from a checkout that is named, else from a
//! clone of the repository. Everything optional that we promise is switched on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;

use crate::process::{self, exists};
use crate::stage::Stage;

/// Where the suite's source is public.
const SOURCE: &str = "https://github.com/opencontainers/distribution-spec";

/// Options of the conformance test.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// A checkout of the suite's repository; without it the repository is cloned
    #[arg(long, value_name = "DIR", env = "AIRLIFT_DISTRIBUTION_SPEC")]
    suite: Option<PathBuf>,
    /// Where reports are written, from the root of the workspace
    #[arg(long, default_value = "target/conformance")]
    output: PathBuf,
}

/// What the suite may ask for that registries need not have.
const PROMISED: [&str; 4] = [
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_TAG_PARAM",
];

/// A server under test; stopped when dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended; there is nothing to be done about it here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds the suite and runs it over each kind of storage.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if !exists("go") {
        println!("skipped: the suite is built with Go, which is not on PATH");
        return Ok(());
    }
    let stage = Stage::build()?;
    let suite = build(options, &stage)?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(stage.path("cert.pem"), made.cert.pem())?;
    fs::write(stage.path("key.pem"), made.signing_key.serialize_pem())?;
    fs::write(stage.path("users"), format!("ci:{}\n", bcrypt::hash("secret", 4)?))?;
    let output = crate::root().join(&options.output);
    let mut failed = Vec::new();
    for (name, words) in [
        ("memory", "memory:"),
        ("layout", "oci:registry"),
        ("secured", "oci:secured --tls-cert cert.pem --tls-key key.pem --users users"),
    ] {
        println!("\n==> airlift serve {words}");
        if !passes(&stage, &suite, words, &output.join(name))? {
            failed.push(name);
        }
    }
    println!("\nreports: {}", output.display());
    if failed.is_empty() { Ok(()) } else { bail!("not conforming: {}", failed.join(", ")) }
}

fn build(options: &Options, stage: &Stage) -> anyhow::Result<PathBuf> {
    let source = if let Some(suite) = &options.suite {
        suite.clone()
    } else {
        let clone = stage.path("distribution-spec");
        let mut git = Command::new("git");
        process::run(git.args(["clone", "--depth", "1", "--quiet", SOURCE]).arg(&clone))
            .context("--suite names a checkout where the network does not reach")?;
        clone
    };
    let program = stage.path("conformance");
    let mut go = Command::new("go");
    go.current_dir(source.join("conformance")).args(["build", "-o"]).arg(&program).arg(".");
    process::run(&mut go).context("building the suite failed")?;
    Ok(program)
}

fn passes(stage: &Stage, suite: &Path, words: &str, output: &Path) -> anyhow::Result<bool> {
    let mut command = stage.command();
    command.arg("serve").args(words.split(' ')).args(["--listen", "127.0.0.1:0"]);
    let mut served = Served(command.stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    if let Some(output) = served.0.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    let url = line.trim().strip_prefix("listening on ").context("the server did not start")?;
    let (scheme, address) = url.split_once("://").context("the server's address has no scheme")?;
    fs::create_dir_all(output)?;
    let mut tests = stage.other(suite);
    tests.env("OCI_REGISTRY", address.replace("127.0.0.1", "localhost"));
    tests.env("OCI_TLS", if scheme == "https" { "enabled" } else { "disabled" });
    tests.env("SSL_CERT_FILE", stage.path("cert.pem"));
    tests.env("OCI_RESULTS_DIR", output);
    if words.contains("--users") {
        tests.env("OCI_USERNAME", "ci").env("OCI_PASSWORD", "secret");
    }
    for promised in PROMISED {
        tests.env(promised, "true");
    }
    let ended = tests.stderr(Stdio::inherit()).output().context("starting the suite failed")?;
    let report = String::from_utf8_lossy(&ended.stdout);
    // One line a test, then a table a feature, then totals: those that tell of trouble, and totals.
    for line in report.lines() {
        let told = ["FAIL", "Error", "Skip", "Total", "Pass...", ": Fail"];
        if told.iter().any(|word| line.contains(word)) {
            println!("{line}");
        }
    }
    Ok(ended.status.success())
}
