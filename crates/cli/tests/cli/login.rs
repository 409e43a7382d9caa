//! Logins: checked, kept, used, forgotten; never shown.

use std::io::Write;
use std::process::Stdio;

use airlift_tests::Auth;
use airlift_tests::image;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::{Ended, Place};

/// Logs in with a password on standard input.
fn login(place: &Place, host: &str, user: &str, password: &str) -> Ended {
    let mut command = place.command();
    command.args(["login", host, "--username", user, "--password-stdin"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("is piped");
    stdin.write_all(format!("{password}\n").as_bytes()).expect("takes it");
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_checked_kept_used_and_forgotten() {
    for auth in [Auth::basic("robot", "s3cret"), Auth::bearer("robot", "s3cret")] {
        let registry = TestRegistry::start(FaultPlan::none().auth(auth)).await;
        image::simple(1).push(registry.store("team/tool").as_ref(), Some("1")).await;
        let host = registry.host();
        let place = Place::new();
        place.file("s.list", format!("{host}/team/tool:1\n"));
        let gather = format!("gather s.list {host}/g:1 -vvv");
        place.airlift(&gather).with(1).says("access denied").says(&format!("airlift login {host}"));

        let refused = login(&place, &host, "robot", "wr0ng").with(1).says("did not take the login");
        assert!(!refused.err.contains("wr0ng"), "{}", refused.err);
        assert!(!place.path().join("home/.docker/config.json").exists());

        login(&place, &host, "robot", "s3cret").with(0).says("logged in to");
        let used = place.airlift(&gather).with(0);
        for secret in ["s3cret", "cm9ib3Q6czNjcmV0"] {
            assert!(!used.err.contains(secret), "{}", used.err);
        }
        place.airlift(&format!("logout {host}")).with(0).says("forgot the login");
        place.airlift(&format!("logout {host}")).with(0).says("there was no login");
        place.airlift(&gather).with(1).says("access denied");
    }
}

#[test]
fn what_is_no_login_is_refused() {
    let place = Place::new();
    login(&place, "https://a.io/b/c", "u", "p").with(2).says("is no registry");
    login(&place, "127.0.0.1:1", "u:v", "p").with(2).says("no user and password");
    login(&place, "127.0.0.1:1", "u", "").with(2).says("no user and password");
    place.airlift("login 127.0.0.1:1 --password-stdin").with(2).says("--username");
}
