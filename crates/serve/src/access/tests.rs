//! Rights, and passwords that are remembered.

use std::time::Instant;

use base64::Engine;

use super::*;

/// ann: secret, bob: hunter2; of the lowest cost.
fn users() -> Users {
    let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
    Users::parse(&format!("ann:{}\nbob:{}", hash("secret"), hash("hunter2"))).unwrap()
}

fn access(rules: &[&str]) -> Access {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    Access::new(Some(users()), rules).unwrap()
}

fn basic(user: &str, password: &str) -> HeaderValue {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}").parse().unwrap()
}

/// `+` allowed, `?` to come back as somebody, `-` denied.
async fn verdict(access: &Access, who: Option<&HeaderValue>, method: Method, name: &str) -> char {
    let name = (!name.is_empty()).then(|| name.parse().unwrap());
    match access.check(who, &method, name.as_ref()).await {
        Verdict::Allowed(_) => '+',
        Verdict::Refused(Refusal::Unauthorized) => '?',
        Verdict::Refused(Refusal::Denied) => '-',
        Verdict::Refused(Refusal::Busy) => '!',
    }
}

#[tokio::test]
async fn rights_are_those_of_the_rules() {
    let access = access(&["anonymous:read:public/**", "*:read", "bob:read-write:team/**"]);
    let (ann, bob) = (basic("ann", "secret"), basic("bob", "hunter2"));
    for (who, method, name, expected) in [
        (None, Method::GET, "", '+'),
        (None, Method::GET, "public/a", '+'),
        (None, Method::PUT, "public/a", '?'),
        (None, Method::HEAD, "team/a", '?'),
        (Some(&ann), Method::GET, "team/a", '+'),
        (Some(&ann), Method::PUT, "team/a", '-'),
        (Some(&bob), Method::PUT, "team/a", '+'),
        (Some(&bob), Method::DELETE, "team/a", '+'),
        (Some(&bob), Method::POST, "public/a", '-'),
        (Some(&bob), Method::PATCH, "team", '-'),
    ] {
        let found = verdict(&access, who, method.clone(), name).await;
        assert_eq!(found, expected, "{who:?} {method} {name}");
    }
    // Wrong credentials are refused even where none are needed.
    for wrong in [basic("ann", "hunter2"), basic("eve", "secret"), basic("ann", "")] {
        assert_eq!(verdict(&access, Some(&wrong), Method::GET, "public/a").await, '?');
    }
    let bearer = HeaderValue::from_static("Bearer x");
    assert_eq!(verdict(&access, Some(&bearer), Method::GET, "public/a").await, '?');
}

#[tokio::test]
async fn without_rules_every_user_may_everything_and_nobody_else_anything() {
    let access = access(&[]);
    assert_eq!(verdict(&access, None, Method::GET, "").await, '?');
    assert_eq!(verdict(&access, None, Method::GET, "a").await, '?');
    assert_eq!(verdict(&access, Some(&basic("ann", "secret")), Method::PUT, "a").await, '+');
}

#[tokio::test]
async fn without_users_there_is_nobody_to_come_back_as() {
    let open = Access::new(None, Vec::new()).unwrap();
    assert_eq!(verdict(&open, None, Method::DELETE, "a").await, '+');
    let read_only = Access::new(None, vec!["anonymous:read".parse().unwrap()]).unwrap();
    assert_eq!(verdict(&read_only, None, Method::GET, "a").await, '+');
    assert_eq!(verdict(&read_only, None, Method::PUT, "a").await, '-');
    assert_eq!(verdict(&read_only, Some(&basic("a", "b")), Method::GET, "a").await, '+');
}

#[test]
fn rules_about_nobody_are_refused() {
    let rule = |text: &str| vec![text.parse::<Rule>().unwrap()];
    assert!(matches!(
        Access::new(Some(users()), rule("eve:read")),
        Err(AccessError::NoSuchUser(name)) if name == "eve"
    ));
    assert!(matches!(Access::new(None, rule("*:read")), Err(AccessError::NoUsers)));
    assert!(matches!(Access::new(None, rule("ann:read")), Err(AccessError::NoUsers)));
}

#[tokio::test]
async fn a_right_password_is_hashed_once() {
    // Cost 10 takes a thousand times as long as what is remembered.
    let line = format!("ann:{}", bcrypt::hash("secret", 10).unwrap());
    let access = Access::new(Some(Users::parse(&line).unwrap()), Vec::new()).unwrap();
    let ann = basic("ann", "secret");
    let start = Instant::now();
    assert_eq!(verdict(&access, Some(&ann), Method::GET, "a").await, '+');
    let first = start.elapsed();
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(verdict(&access, Some(&ann), Method::GET, "a").await, '+');
    }
    assert!(start.elapsed() < first, "{:?} for twenty, {first:?} for one", start.elapsed());
    assert_eq!(verdict(&access, Some(&basic("ann", "other")), Method::GET, "a").await, '?');
}

#[tokio::test]
async fn guesses_beyond_what_can_be_checked_are_sent_away() {
    let access = access(&[]);
    let wrong = basic("ann", "guess");
    let guesses = (0..200).map(|_| verdict(&access, Some(&wrong), Method::GET, "a"));
    let answers = futures_util::future::join_all(guesses).await;
    assert!(answers.contains(&'!') && answers.contains(&'?'), "{answers:?}");
    assert!(!answers.contains(&'+'));
    // And afterwards it goes on.
    assert_eq!(verdict(&access, Some(&basic("ann", "secret")), Method::GET, "a").await, '+');
}
