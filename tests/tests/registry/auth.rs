//! Credentials and tokens: enough of them, no more than needed, and to nobody else.

use super::*;
use airlift_oci::registry::{Credential, Secret};

/// The repository `a`, as a user.
pub(super) fn as_user(registry: &TestRegistry, user: &str, password: &str) -> Arc<RegistryStore> {
    client_with(settings(registry, basic(user, password))).repository(registry.name("a"))
}

pub(super) fn basic(user: &str, password: &str) -> Credential {
    Credential::Basic { username: user.to_owned(), password: Secret::new(password) }
}

fn settings(registry: &TestRegistry, credential: Credential) -> Settings {
    let mut settings = quick();
    settings.credentials.fixed.insert(registry.host(), credential);
    settings
}

async fn bearer(bearer: Bearer) -> TestRegistry {
    with_blob(FaultPlan::none().auth(Auth::Bearer(bearer)), &small()).await
}

fn for_user() -> Bearer {
    Bearer { user: Some(("u".to_owned(), "p".to_owned())), ..Bearer::default() }
}

#[tokio::test]
async fn basic_is_learned_once() {
    let registry = with_blob(FaultPlan::none().auth(Auth::basic("u", "p")), &small()).await;
    let store = as_user(&registry, "u", "p");
    for _ in 0..3 {
        read(&*store, &small()).await.unwrap();
    }
    let counts = registry.counts();
    assert_eq!((counts.unauthorized, counts.total()), (1, 4));
}

#[tokio::test]
async fn many_requests_share_one_challenge_and_one_token() {
    let registry = bearer(for_user()).await;
    let store = as_user(&registry, "u", "p");
    let blob = small();
    let reads = (0..30).map(|_| read(&*store, &blob));
    for bytes in futures_util::future::join_all(reads).await {
        bytes.unwrap();
    }
    let counts = registry.counts();
    assert_eq!((counts.unauthorized, counts.token, counts.blob_get), (1, 1, 31));
    assert_eq!(registry.exchanges(), [["repository:a:pull"]]);
}

#[tokio::test]
async fn a_token_for_writing_serves_reading() {
    let registry = bearer(for_user()).await;
    let store = as_user(&registry, "u", "p");
    put(&*store, &large(), &absent()).await;
    read(&*store, &small()).await.unwrap();
    assert_eq!(registry.exchanges(), [["repository:a:pull,push"]]);
    assert_eq!(registry.counts().unauthorized, 1);
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories_and_nothing_piles_up() {
    let registry = bearer(for_user()).await;
    let client = client_with(settings(&registry, basic("u", "p")));
    for to in ["b", "c"] {
        let store = client.repository(registry.name(to));
        let hints = Hints { mount_from: Some(registry.name("a")), ..absent() };
        assert_eq!(put(&*store, &small(), &hints).await, Put::Mounted);
        image::simple(1).push(&*store, Some("v1")).await;
    }
    let scopes = |to: &str| [format!("repository:{to}:pull,push"), "repository:a:pull".to_owned()];
    let sorted: Vec<Vec<String>> = registry
        .exchanges()
        .into_iter()
        .map(|mut scopes| {
            scopes.sort();
            scopes
        })
        .collect();
    let expected = ["b", "c"].map(|to| {
        let mut scopes = scopes(to);
        scopes.sort();
        scopes.to_vec()
    });
    assert_eq!(sorted, expected);
}

#[tokio::test]
async fn a_token_is_replaced_before_it_ends() {
    let registry = bearer(Bearer { lifetime: Duration::from_secs(1), ..for_user() }).await;
    let store = as_user(&registry, "u", "p");
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_millis(1600) {
        read(&*store, &small()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let counts = registry.counts();
    assert_eq!(counts.unauthorized, 1, "none was refused for its age");
    assert!((2..=4).contains(&counts.token), "{}", counts.token);
}

#[tokio::test]
async fn a_token_that_ended_early_is_exchanged_anew() {
    // Each is good for two requests, whatever its age: nothing here depends on the clock.
    let registry = bearer(Bearer { uses: Some(2), ..for_user() }).await;
    let store = as_user(&registry, "u", "p");
    for _ in 0..6 {
        read(&*store, &small()).await.unwrap();
    }
    assert_eq!(registry.exchanges().len(), 3);
    let blob = large();
    assert_eq!(put(&*store, &blob, &absent()).await, Put::Written);
    assert!(holds(&registry, &blob));
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_is_final() {
    let registry = bearer(Bearer { uses: Some(0), ..for_user() }).await;
    let store = as_user(&registry, "u", "p");
    let error = read(&*store, &small()).await.unwrap_err();
    assert!(error.is_denied(), "{}", chain(&error));
    assert_eq!(registry.exchanges().len(), 1);
}

#[tokio::test]
async fn an_upload_goes_on_when_its_token_ends() {
    for uses in [2, 3, 5] {
        let plan = FaultPlan::none().monolithic_limit(100);
        let plan = plan.auth(Auth::Bearer(Bearer { uses: Some(uses), ..for_user() }));
        let registry = TestRegistry::start(plan).await;
        let mut settings = settings(&registry, basic("u", "p"));
        settings.chunk_size = 300_000;
        let store = client_with(settings).repository(registry.name("a"));
        let blob = large();
        assert_eq!(put(&*store, &blob, &absent()).await, Put::Written, "{uses}");
        assert!(holds(&registry, &blob));
        // The first was answered with the challenge.
        assert_eq!(registry.counts().upload_post, 2, "the upload is gone on with");
    }
}

#[tokio::test]
async fn a_download_goes_on_when_its_token_ends() {
    let blob = large();
    let plan = FaultPlan::none().auth(Auth::Bearer(Bearer { uses: Some(1), ..for_user() })).on(
        Kind::BlobGet,
        When::First(4),
        Fault::CutDownload(300_000),
    );
    let registry = with_blob(plan, &blob).await;
    let store = as_user(&registry, "u", "p");
    assert_eq!(read(&*store, &blob).await.unwrap(), bytes(7, LARGE));
    assert_eq!(registry.exchanges().len(), 5);
}

#[tokio::test]
async fn many_that_wait_for_a_token_that_ended_share_the_next_one() {
    let registry = bearer(Bearer { uses: Some(10), ..for_user() }).await;
    let store = as_user(&registry, "u", "p");
    let blob = small();
    for _ in 0..10 {
        read(&*store, &blob).await.unwrap();
    }
    assert_eq!(registry.exchanges().len(), 1);
    let reads = (0..8).map(|_| read(&*store, &blob));
    for bytes in futures_util::future::join_all(reads).await {
        bytes.unwrap();
    }
    assert_eq!(registry.exchanges().len(), 2, "eight were refused, one exchanged for all");
}

#[tokio::test]
async fn challenges_are_understood_however_they_are_written() {
    use airlift_tests::Challenge::{BehindBasic, Careless, Plain, SecondHeader, WithoutScope};
    for challenge in [Plain, Careless, BehindBasic, SecondHeader, WithoutScope] {
        let registry = bearer(Bearer { challenge, ..for_user() }).await;
        let store = as_user(&registry, "u", "p");
        read(&*store, &small()).await.unwrap();
        assert_eq!(put(&*store, &large(), &absent()).await, Put::Written, "{challenge:?}");
    }
}

#[tokio::test]
async fn tokens_stay_small_however_many_repositories_there_are() {
    // Each repository in a token makes it longer by 2 kB; two fit, as a mount needs them.
    let plan = FaultPlan::none()
        .with(airlift_tests::Quirk::AuthorizationAtMost(4500))
        .auth(Auth::Bearer(Bearer { padding: 2000, ..for_user() }));
    let blob = small();
    let registry = with_blob(plan, &blob).await;
    let client = client_with(settings(&registry, basic("u", "p")));
    let mut from = registry.name("a");
    for number in 0..30 {
        let to = registry.name(&format!("r{number}"));
        let hints = Hints { mount_from: Some(from), ..absent() };
        assert_eq!(put(&*client.repository(to.clone()), &blob, &hints).await, Put::Mounted);
        from = to;
    }
    assert!(registry.exchanges().iter().all(|scopes| scopes.len() <= 2));
}

#[tokio::test]
async fn a_token_server_that_knows_oauth2_alone_is_posted_to() {
    let registry = bearer(Bearer { only_post: true, ..for_user() }).await;
    read(&*as_user(&registry, "u", "p"), &small()).await.unwrap();
    let log = registry.log();
    let tokens: Vec<_> = log.iter().filter(|exchange| exchange.kind == Kind::Token).collect();
    let methods: Vec<_> = tokens.iter().map(|exchange| exchange.method.as_str()).collect();
    assert_eq!(methods, ["GET", "POST"]);
    assert!(tokens.iter().all(|exchange| !exchange.query.contains("password")));
    let error = read(&*as_user(&registry, "u", "hunter2"), &small()).await.unwrap_err();
    assert!(error.is_denied() && !chain(&error).contains("hunter2"), "{}", chain(&error));
}

#[tokio::test]
async fn nobody_in_particular_may_read() {
    let registry = bearer(Bearer { anonymous_pull: true, ..for_user() }).await;
    let store = open(&registry);
    read(&*store, &small()).await.unwrap();
    let error = store.put(&large(), &absent()).await.unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert!(error.to_string().contains("no credentials for"), "{error}");
}

#[tokio::test]
async fn an_identity_token_is_exchanged() {
    let identity = Some("refresh-me".to_owned());
    let registry = bearer(Bearer { identity, ..for_user() }).await;
    let settings = settings(&registry, Credential::Identity(Secret::new("refresh-me")));
    let store = client_with(settings).repository(registry.name("a"));
    read(&*store, &small()).await.unwrap();
    let token = registry.log().into_iter().find(|exchange| exchange.kind == Kind::Token).unwrap();
    assert_eq!(token.method, "POST");
}

#[tokio::test]
async fn wrong_credentials_are_told_once_and_not_shown() {
    for auth in [Auth::basic("u", "p"), Auth::bearer("u", "p")] {
        let registry = with_blob(FaultPlan::none().auth(auth), &small()).await;
        let store = as_user(&registry, "u", "hunter2");
        let error = read(&*store, &small()).await.unwrap_err();
        let text = chain(&error);
        assert!(error.is_denied() && !text.contains("hunter2"), "{text}");
        assert!(text.contains("credentials"), "{text}");
        assert!(registry.counts().total() <= 3, "{:?}", registry.counts());
        assert!(!format!("{store:?} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn the_token_server_may_be_another_host() {
    let registry = bearer(Bearer { elsewhere: true, ..for_user() }).await;
    read(&*as_user(&registry, "u", "p"), &small()).await.unwrap();
    assert_eq!(registry.log_elsewhere().len(), 1);
    let get = registry.log().pop().unwrap();
    assert!(get.header("authorization").unwrap().starts_with("Bearer "));
}

#[tokio::test]
async fn credentials_go_to_no_token_server_without_tls() {
    let challenge = r#"Bearer realm="http://auth.example.com/token",service="s""#;
    let fault = Fault::status(401).header("WWW-Authenticate", challenge);
    let registry = TestRegistry::start(FaultPlan::none().on_any(When::Always, fault)).await;
    let error = read(&*as_user(&registry, "u", "p"), &small()).await.unwrap_err();
    assert!(error.is_denied() && error.to_string().contains("https"), "{error}");
}

#[tokio::test]
async fn a_token_server_that_is_busy_is_waited_for() {
    let plan = FaultPlan::none().auth(Auth::bearer("u", "p")).on_path(
        Kind::Token,
        "/token",
        When::First(2),
        Fault::status(503),
    );
    let registry = with_blob(plan, &small()).await;
    // Rules are laid over tokens where the harness passes them through.
    read(&*as_user(&registry, "u", "p"), &small()).await.unwrap();
    assert_eq!(registry.exchanges().len(), 1);
}

#[tokio::test]
async fn credentials_from_a_file() {
    let registry = with_blob(FaultPlan::none().auth(Auth::bearer("u", "p")), &small()).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("auth.json");
    let text = format!(r#"{{"auths":{{"{}/a":{{"auth":"dTpw"}}}}}}"#, registry.host());
    std::fs::write(&file, text).unwrap();
    let mut settings = quick();
    settings.credentials.auth_files = vec![directory.path().join("missing.json"), file.clone()];
    let client = client_with(settings.clone());
    read(&*client.repository(registry.name("a")), &small()).await.unwrap();
    let error = read(&*client.repository(registry.name("b")), &small()).await.unwrap_err();
    assert!(error.is_denied(), "those of one repository are for no other: {error}");
    std::fs::write(&file, "{").unwrap();
    let error = Client::new(settings, Arc::new(Heard::default())).unwrap_err().to_string();
    assert!(error.contains("auth.json") && error.contains("line 1"), "{error}");
}
