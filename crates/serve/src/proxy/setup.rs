//! The settings in force, made ready: registries, and which are asked for which name.

use std::sync::Arc;

use http::StatusCode;

use super::backend::Backend;
use super::config::{Config, ConfigError};
use super::failure::Failure;
use super::known::Known;
use super::metrics::Metrics;
use super::recent::Recent;
use crate::storage::RepositoryName;

/// Settings in force. Requests hold on to the ones that they began with.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) backends: Vec<Arc<Backend>>,
    pub(super) known: Known,
    pub(super) recent: Recent,
    /// By prefix, in order.
    routes: Vec<Route>,
    in_turn: Vec<usize>,
}

#[derive(Debug)]
struct Route {
    prefix: String,
    replace: Option<String>,
    turn: Vec<usize>,
}

/// Where a repository is looked for.
#[derive(Debug)]
pub(super) struct Way {
    /// Its name at the registries.
    pub(super) repository: String,
    /// The registries, by their place among all, in the order in which they are asked.
    pub(super) turn: Vec<usize>,
}

impl Setup {
    /// Makes settings ready. Registries of `before` that did not change stay as they are, with
    /// their connections, tokens and what is known of their health.
    pub(super) fn new(
        config: Config,
        metrics: &Metrics,
        before: Option<&Setup>,
    ) -> Result<Self, ConfigError> {
        let mut backends: Vec<Arc<Backend>> = Vec::new();
        for (name, registry) in &config.registry {
            let old = before
                .into_iter()
                .flat_map(|before| &before.backends)
                .find(|old| old.name == *name && old.is_as(&config, registry));
            backends.push(match old {
                Some(old) => old.clone(),
                None => Arc::new(Backend::new(name, &config, registry, metrics)?),
            });
        }
        let place = |name: &str| backends.iter().position(|backend| backend.name == name);
        let routes = config.routes.iter().map(|route| Route {
            prefix: route.prefix.clone(),
            replace: route.replace.clone(),
            turn: route.registries.iter().filter_map(|name| place(name)).collect(),
        });
        let routes = routes.collect();
        let in_turn = config.in_turn().into_iter().filter_map(place).collect();
        let remember = config.remember.0.0;
        let (known, recent) = (Known::new(remember), Recent::new(remember));
        Ok(Setup { config, backends, known, recent, routes, in_turn })
    }

    /// Where a repository is looked for: as the first route with a matching prefix says.
    pub(super) fn way(&self, name: &RepositoryName) -> Result<Way, Failure> {
        let route = self.routes.iter().find(|route| name.as_str().starts_with(&route.prefix));
        let (repository, turn) = match route {
            Some(Route { prefix, replace: Some(replace), turn }) => {
                let other = format!("{replace}{}", &name.as_str()[prefix.len()..]);
                let valid = other.parse::<RepositoryName>().is_ok();
                (if valid { other } else { String::new() }, turn)
            }
            Some(route) => (name.as_str().to_owned(), &route.turn),
            None => (name.as_str().to_owned(), &self.in_turn),
        };
        if turn.is_empty() || repository.is_empty() {
            let message = format!("no registry is asked for {name}");
            return Err(Failure::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message));
        }
        Ok(Way { repository, turn: turn.clone() })
    }

    /// The registry that pushes go to.
    pub(super) fn push_to(&self) -> Option<&Arc<Backend>> {
        let name = &self.config.push.registry;
        self.backends.iter().find(|backend| backend.name == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(routes: &str) -> Setup {
        let text = format!(
            "registry: {{hot: {{url: 'http://a'}}, cold: {{url: 'http://b'}}, edge: {{url: 'http://c'}}}}\n{routes}"
        );
        let config = Config::read("f", &text, []).unwrap();
        Setup::new(config, &Metrics::default(), None).unwrap()
    }

    fn way(setup: &Setup, name: &str) -> Result<String, u16> {
        let way = setup.way(&name.parse().unwrap()).map_err(|failure| failure.status.as_u16())?;
        let names: Vec<&str> =
            way.turn.iter().map(|at| setup.backends[*at].name.as_str()).collect();
        Ok(format!("{} {}", way.repository, names.join(",")))
    }

    #[test]
    fn the_first_prefix_that_matches_says_who_is_asked() {
        let setup = setup(
            "routes:\n\
             - {prefix: team/secret/, registries: [cold]}\n\
             - {prefix: team/, registries: [edge, hot, cold]}\n\
             - {prefix: hub/, registries: [hot], replace: ''}\n\
             - {prefix: old, registries: [cold], replace: archive/old}\n",
        );
        assert_eq!(way(&setup, "library/nginx").unwrap(), "library/nginx hot,cold");
        assert_eq!(way(&setup, "team/app").unwrap(), "team/app edge,hot,cold");
        assert_eq!(way(&setup, "team/secret/app").unwrap(), "team/secret/app cold");
        assert_eq!(way(&setup, "hub/library/nginx").unwrap(), "library/nginx hot");
        assert_eq!(way(&setup, "older/x").unwrap(), "archive/older/x cold");
    }

    #[test]
    fn a_name_that_no_registry_is_for_is_none() {
        let text = "registry: {edge: {url: 'http://c'}}\n\
                    routes: [{prefix: a/, registries: [edge], replace: ''}]";
        let config = Config::read("f", text, []).unwrap();
        let setup = Setup::new(config, &Metrics::default(), None).unwrap();
        assert_eq!(way(&setup, "b"), Err(404));
        assert_eq!(way(&setup, "a/b").unwrap(), "b edge");
    }

    #[test]
    fn registries_that_did_not_change_stay() {
        let before = setup("");
        let mut config = before.config.clone();
        config.registry.get_mut("cold").unwrap().url = "http://other".to_owned();
        let after = Setup::new(config, &Metrics::default(), Some(&before)).unwrap();
        let same: Vec<bool> = before
            .backends
            .iter()
            .zip(&after.backends)
            .map(|(before, after)| Arc::ptr_eq(before, after))
            .collect();
        assert_eq!(same, [false, true, true], "cold, edge, hot");
    }
}
