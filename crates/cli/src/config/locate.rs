//! Which configuration file is read: the first that exists, and no other.

use std::path::{Path, PathBuf};

use super::{ConfigError, Environment, Origin};

/// The configuration file in force, if there is one.
///
/// `--config` (repeatable: the first that exists), then `AIRLIFT_CONFIG`, then `ACE_DT_CONFIG`
/// (a list as in `PATH`); these must exist. Then our file in the working directory, the user's
/// configuration directory and the system's, then ace-dt's in the same three places.
pub(crate) fn find(
    flags: &[PathBuf],
    environment: &Environment,
) -> Result<Option<PathBuf>, ConfigError> {
    if !flags.is_empty() {
        return first(
            flags.iter().map(|path| environment.directory.join(path)),
            Origin::Flag("config"),
        );
    }
    if let Some(path) = environment.get("AIRLIFT_CONFIG") {
        return first([environment.expand(path)], Origin::Variable("AIRLIFT_CONFIG"));
    }
    if let Some(paths) = environment.get("ACE_DT_CONFIG") {
        let paths = std::env::split_paths(paths).map(|path| environment.directory.join(path));
        return first(paths, Origin::Variable("ACE_DT_CONFIG"));
    }
    Ok(search_path(environment).into_iter().find(|path| path.is_file()))
}

/// Where files are looked for when none is named.
pub(crate) fn search_path(environment: &Environment) -> Vec<PathBuf> {
    let user = environment.config_home();
    let in_user = |path: &str| user.as_ref().map(|user| user.join(path));
    let in_system = |path: &str| Some(environment.system(path));
    let here = |path: &str| Some(environment.directory.join(path));
    [
        here("airlift.yaml"),
        in_user("airlift/airlift.yaml"),
        in_system("airlift/airlift.yaml"),
        here("ace-dt-config.yaml"),
        in_user("ace/dt/config.yaml"),
        in_system("ace/dt/config.yaml"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn first(
    paths: impl IntoIterator<Item = PathBuf>,
    by: Origin,
) -> Result<Option<PathBuf>, ConfigError> {
    let mut missing = None;
    for path in paths {
        if Path::exists(&path) {
            return Ok(Some(path));
        }
        missing.get_or_insert(path);
    }
    let path = missing.unwrap_or_default();
    Err(ConfigError::Missing { what: "configuration file", path, by })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::find;
    use crate::config::Environment;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().expect("has a parent")).expect("makes it");
        fs::write(path, "").expect("writes it");
    }

    #[test]
    fn each_place_gives_way_to_the_one_before_it() {
        let root = tempfile::tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name);
        let order = [
            "cwd/flag.yaml",
            "cwd/env.yaml",
            "cwd/ace.yaml",
            "cwd/airlift.yaml",
            "home/.config/airlift/airlift.yaml",
            "etc/airlift/airlift.yaml",
            "cwd/ace-dt-config.yaml",
            "home/.config/ace/dt/config.yaml",
            "etc/ace/dt/config.yaml",
        ];
        for (step, name) in order.iter().enumerate().rev() {
            touch(&path(name));
            let env = path("cwd/env.yaml").display().to_string();
            let [none, ace] =
                ["cwd/none.yaml", "cwd/ace.yaml"].map(|name| path(name).display().to_string());
            let ace = format!("{none}:{ace}");
            let mut variables = Vec::new();
            if step <= 1 {
                variables.push(("AIRLIFT_CONFIG", env.as_str()));
            }
            if step <= 2 {
                variables.push(("ACE_DT_CONFIG", ace.as_str()));
            }
            let environment = Environment::for_tests(root.path(), &variables);
            let flags =
                if step == 0 { vec!["none.yaml".into(), "flag.yaml".into()] } else { vec![] };
            assert_eq!(find(&flags, &environment).expect("finds one"), Some(path(name)), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_named_must_exist() {
        let root = tempfile::tempdir().expect("a directory");
        let environment = Environment::for_tests(root.path(), &[("AIRLIFT_CONFIG", "no.yaml")]);
        let error = find(&[], &environment).expect_err("is missing").to_string();
        assert!(error.contains("no.yaml named by AIRLIFT_CONFIG does not exist"), "{error}");
        let error = find(&["a.yaml".into()], &environment).expect_err("is missing").to_string();
        assert!(error.contains("a.yaml named by --config does not exist"), "{error}");
    }

    #[test]
    fn no_file_is_fine() {
        let root = tempfile::tempdir().expect("a directory");
        let environment = Environment::for_tests(root.path(), &[]);
        assert_eq!(find(&[], &environment).expect("is fine"), None);
    }
}
