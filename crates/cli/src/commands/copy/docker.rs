//! `DOCKER_USERNAME`, `DOCKER_PASSWORD` and `DOCKER_REGISTRY`: the destination of a list.

use std::collections::BTreeSet;

use airlift_oci::mirror::copy::Spec;
use airlift_oci::registry::{Credential, Secret};
use airlift_oci::types::Location;

use super::Args;
use crate::session::Session;

/// The registry of all destinations: the option before the environment.
pub(super) fn destination_registry(args: &Args, session: &Session) -> Option<String> {
    let variable = || session.environment.get("DOCKER_REGISTRY").map(str::to_owned);
    args.to.clone().or_else(variable)
}

/// Where they come from, for messages.
pub(super) const CREDENTIALS: &str = "DOCKER_USERNAME and DOCKER_PASSWORD";

/// The credentials of the environment, and the host that they are for: that of `registry`, else
/// the only one that the lines have as a destination. They are given to no other.
pub(super) fn credentials(
    session: &Session,
    registry: Option<&str>,
    specs: &[Spec],
) -> Option<(String, Credential)> {
    let username = session.environment.get("DOCKER_USERNAME")?.to_owned();
    let password = Secret::new(session.environment.get("DOCKER_PASSWORD")?);
    let host = match registry {
        Some(registry) => registry.split('/').next().unwrap_or(registry).to_owned(),
        None => only_host(session, specs)?,
    };
    Some((host, Credential::Basic { username, password }))
}

/// The credentials of the environment for one line.
pub(super) fn credentials_of_line(
    args: &Args,
    session: &Session,
    spec: &Spec,
) -> Option<(String, Credential)> {
    let registry = destination_registry(args, session);
    credentials(session, registry.as_deref(), std::slice::from_ref(spec))
}

fn only_host(session: &Session, specs: &[Spec]) -> Option<String> {
    let mut hosts = BTreeSet::new();
    for spec in specs {
        if let Ok(Location::Registry(reference)) = spec.destination_location() {
            hosts.insert(reference.name.registry().to_owned());
        }
    }
    if hosts.len() > 1 {
        session.say(
            "DOCKER_USERNAME is not used: the list has several destination registries; \
             say with -d or DOCKER_REGISTRY which one it is for",
        );
        return None;
    }
    hosts.pop_first()
}
