//! Which files with credentials are looked into, and in which order: as docker and podman do.

use std::path::PathBuf;

use super::{ConfigError, Environment, Origin, Setting};

const VARIABLES: [&str; 3] =
    ["AIRLIFT_REGISTRY_AUTH_FILE", "ACE_DT_REGISTRY_AUTH_FILE", "REGISTRY_AUTH_FILE"];

/// The files in force, the first with an entry for a host wins.
///
/// A file named by `--auth-file`, by a variable or by `registryAuthFile` of the configuration is
/// the only one, and must exist. Else those of `DOCKER_CONFIG`, podman and docker that exist.
pub(super) fn files(
    flag: Option<&PathBuf>,
    environment: &Environment,
    config_path: Option<&PathBuf>,
    in_config: Option<&PathBuf>,
) -> Result<Vec<Setting<PathBuf>>, ConfigError> {
    if let Some(only) = named(flag, environment, config_path, in_config) {
        if only.value.exists() && !only.value.is_dir() {
            return Ok(vec![only]);
        }
        let (what, path, by) = ("credentials file", only.value, only.origin);
        return Err(if path.is_dir() {
            ConfigError::Directory { what, path, by }
        } else {
            ConfigError::Missing { what, path, by }
        });
    }
    Ok(usual(environment).into_iter().filter(|file| file.value.is_file()).collect())
}

/// The file that somebody named, if anybody did.
pub(crate) fn named(
    flag: Option<&PathBuf>,
    environment: &Environment,
    config_path: Option<&PathBuf>,
    in_config: Option<&PathBuf>,
) -> Option<Setting<PathBuf>> {
    if let Some(path) = flag {
        let value = environment.directory.join(path);
        return Some(Setting { value, origin: Origin::Flag("auth-file") });
    }
    if let Some((name, path)) = environment.first(&VARIABLES) {
        return Some(Setting { value: environment.expand(path), origin: Origin::Variable(name) });
    }
    let path = in_config?;
    let value = environment.expand(path.to_str()?);
    Some(Setting { value, origin: Origin::File(config_path.cloned().unwrap_or_default()) })
}

/// Where docker and podman keep credentials.
pub(crate) fn usual(environment: &Environment) -> Vec<Setting<PathBuf>> {
    let variable = |name: &'static str, below: &str| {
        let value = environment.absolute(name)?.join(below);
        Some(Setting { value, origin: Origin::Variable(name) })
    };
    let plain = |value: Option<PathBuf>| Some(Setting { value: value?, origin: Origin::Default });
    let home = environment.home.as_ref();
    let docker = environment.get("DOCKER_CONFIG").map(|directory| Setting {
        value: environment.expand(directory).join("config.json"),
        origin: Origin::Variable("DOCKER_CONFIG"),
    });
    let default_docker = match docker {
        Some(_) => None,
        None => plain(home.map(|home| home.join(".docker/config.json"))),
    };
    [
        docker,
        variable("XDG_RUNTIME_DIR", "containers/auth.json"),
        plain(environment.config_home().map(|config| config.join("containers/auth.json"))),
        default_docker,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::files;
    use crate::config::Environment;

    #[test]
    fn the_order_is_that_of_docker_and_podman() {
        let root = tempfile::tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name);
        for name in [
            "cwd/named.json",
            "dc/config.json",
            "run/containers/auth.json",
            "home/.config/containers/auth.json",
            "home/.docker/config.json",
        ] {
            fs::create_dir_all(path(name).parent().expect("has one")).expect("makes it");
            fs::write(path(name), "{}").expect("writes it");
        }
        let (dc, run) = (path("dc").display().to_string(), path("run").display().to_string());
        let list = |variables: &[(&str, &str)], flag: Option<&str>, file: Option<&str>| {
            let environment = Environment::for_tests(root.path(), variables);
            let (flag, file) = (flag.map(Into::into), file.map(Into::into));
            let found = files(flag.as_ref(), &environment, None, file.as_ref()).expect("lists");
            found
                .into_iter()
                .map(|f| f.value.strip_prefix(root.path()).expect("below").display().to_string())
                .collect::<Vec<_>>()
        };
        let podman = "home/.config/containers/auth.json";
        assert_eq!(list(&[], None, None), [podman, "home/.docker/config.json"]);
        let both = [("DOCKER_CONFIG", dc.as_str()), ("XDG_RUNTIME_DIR", run.as_str())];
        assert_eq!(list(&both, None, None), ["dc/config.json", "run/containers/auth.json", podman]);
        assert_eq!(list(&both, None, Some("named.json")), ["cwd/named.json"]);
        assert_eq!(list(&both, None, Some("~/.docker/config.json")), ["home/.docker/config.json"]);
        let named = [("REGISTRY_AUTH_FILE", "named.json")];
        assert_eq!(list(&named, None, Some("~/no.json")), ["cwd/named.json"]);
        assert_eq!(list(&named, Some("../dc/config.json"), None), ["cwd/../dc/config.json"]);
    }

    #[test]
    fn a_directory_is_no_file() {
        let root = tempfile::tempdir().expect("a directory");
        let environment = Environment::for_tests(root.path(), &[]);
        let flag = Some(root.path().to_owned());
        let error = files(flag.as_ref(), &environment, None, None).expect_err("is none");
        let told = "named by --auth-file is a directory";
        assert!(error.to_string().ends_with(told), "{error}");
    }

    #[test]
    fn a_named_file_must_exist() {
        let root = tempfile::tempdir().expect("a directory");
        let environment = Environment::for_tests(root.path(), &[("REGISTRY_AUTH_FILE", "no.json")]);
        let error = files(None, &environment, None, None).expect_err("is missing").to_string();
        assert!(error.contains("no.json named by REGISTRY_AUTH_FILE does not exist"), "{error}");
    }
}
