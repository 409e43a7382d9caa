//! The one reader of environment, home and working directory; the rest is given this.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the process was started with.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
    /// The working directory: relative names start here.
    pub(crate) directory: PathBuf,
    /// The user's home, when there is one.
    pub(crate) home: Option<PathBuf>,
    /// Where the system's configuration is: `/etc`.
    pub(crate) system: PathBuf,
}

impl Environment {
    /// That of this process. Variables that are no text are left out: none of ours can be.
    pub(crate) fn of_process() -> Self {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Environment {
            directory: PathBuf::new(),
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            system: PathBuf::from("/etc"),
            variables,
        }
    }

    /// A variable that is set to something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every variable whose name begins so, with its name.
    pub(crate) fn beginning<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let range = self.variables.range(prefix.to_owned()..);
        let pairs = range.map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.take_while(move |(name, _)| name.starts_with(prefix))
    }

    /// The first of `names` that is set to something.
    pub(crate) fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// A directory named by an absolute variable, as the XDG rules want it.
    pub(crate) fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// The user's configuration directory.
    pub(crate) fn config_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_CONFIG_HOME").or_else(|| Some(self.home.as_ref()?.join(".config")))
    }

    /// The user's directory for what can be made again.
    pub(crate) fn cache_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_CACHE_HOME").or_else(|| Some(self.home.as_ref()?.join(".cache")))
    }

    /// A path as a user writes it: `~/` is the home directory.
    pub(crate) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.directory.join(path),
        }
    }

    /// An environment with nothing but `variables`, everything else below `root`.
    #[cfg(test)]
    pub(crate) fn for_tests(root: &Path, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Environment {
            variables,
            directory: root.join("cwd"),
            home: Some(root.join("home")),
            system: root.join("etc"),
        }
    }

    /// `path` below the system's configuration directory.
    pub(crate) fn system(&self, path: impl AsRef<Path>) -> PathBuf {
        self.system.join(path)
    }
}
