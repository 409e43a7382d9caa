//! Certificates by host, where containerd, docker and podman keep them: `certs.d/HOST/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{ConfigError, Environment};

/// The certificates for one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HostCertificates {
    /// PEM files of authorities to trust: `ca.pem`, `*.crt`.
    pub(crate) authorities: Vec<PathBuf>,
    /// PEM files of the client's certificate and key: `cert.pem` and `key.pem`, `X.cert` and
    /// `X.key`. The first pair by name is used.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// The certificates of every host that has some. Of directories with the same host the first wins.
pub(super) fn find(
    environment: &Environment,
) -> Result<BTreeMap<String, HostCertificates>, ConfigError> {
    let mut found = BTreeMap::new();
    for directory in directories(environment) {
        for host in names(&directory)? {
            let certificates = of_host(&directory.join(&host))?;
            if certificates != HostCertificates::default() {
                found.entry(host).or_insert(certificates);
            }
        }
    }
    Ok(found)
}

/// Where `certs.d` is looked for, in order.
fn directories(environment: &Environment) -> Vec<PathBuf> {
    let user = environment.config_home();
    let user = |path: &str| user.as_ref().map(|user| user.join(path));
    let home = |path: &str| environment.home.as_ref().map(|home| home.join(path));
    [
        user("airlift/certs.d"),
        home(".docker/certs.d"),
        user("containers/certs.d"),
        Some(environment.system("airlift/certs.d")),
        Some(environment.system("containerd/certs.d")),
        Some(environment.system("docker/certs.d")),
        Some(environment.system("containers/certs.d")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_host(directory: &Path) -> Result<HostCertificates, ConfigError> {
    let mut certificates = HostCertificates::default();
    for name in names(directory)? {
        let path = directory.join(&name);
        let key = match (name.as_str(), name.strip_suffix(".cert")) {
            ("ca.pem", _) => {
                certificates.authorities.push(path);
                continue;
            }
            ("cert.pem", _) => directory.join("key.pem"),
            (_, Some(stem)) => directory.join(format!("{stem}.key")),
            _ => {
                if name.ends_with(".crt") {
                    certificates.authorities.push(path);
                }
                continue;
            }
        };
        if !key.exists() {
            let message = format!("its key {} is missing", key.display());
            return Err(ConfigError::Text { path, line: 0, column: 0, message, nearest: None });
        }
        certificates.identity.get_or_insert((path, key));
    }
    Ok(certificates)
}

/// The names in a directory, sorted; none when it is not there or is none.
fn names(directory: &Path) -> Result<Vec<String>, ConfigError> {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let failed = |source| ConfigError::Read { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        // Docker's directories are often closed to other users, who then have their own.
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | PermissionDenied) => {
            return Ok(Vec::new());
        }
        Err(source) => return Err(failed(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::find;
    use crate::config::Environment;

    #[test]
    fn the_forms_of_containerd_and_docker_are_found() {
        let root = tempfile::tempdir().expect("a directory");
        let touch = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("has one")).expect("makes it");
            fs::write(path, "").expect("writes it");
        };
        touch("etc/containerd/certs.d/a.io/ca.pem");
        touch("etc/containerd/certs.d/a.io/cert.pem");
        touch("etc/containerd/certs.d/a.io/key.pem");
        touch("etc/docker/certs.d/a.io/other.crt");
        touch("etc/docker/certs.d/b.io:5000/x.crt");
        touch("etc/docker/certs.d/b.io:5000/client.cert");
        touch("etc/docker/certs.d/b.io:5000/client.key");
        touch("home/.docker/certs.d/c.io/readme.txt");
        let found = find(&Environment::for_tests(root.path(), &[])).expect("looks");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a.io", "b.io:5000"]);
        let a = root.path().join("etc/containerd/certs.d/a.io");
        assert_eq!(found["a.io"].authorities, [a.join("ca.pem")]);
        assert_eq!(found["a.io"].identity, Some((a.join("cert.pem"), a.join("key.pem"))));
        let b = root.path().join("etc/docker/certs.d/b.io:5000");
        assert_eq!(found["b.io:5000"].authorities, [b.join("x.crt")]);
        assert_eq!(
            found["b.io:5000"].identity,
            Some((b.join("client.cert"), b.join("client.key")))
        );
    }

    #[test]
    fn a_certificate_without_its_key_is_an_error() {
        let root = tempfile::tempdir().expect("a directory");
        let host = root.path().join("home/.docker/certs.d/a.io");
        fs::create_dir_all(&host).expect("makes it");
        fs::write(host.join("client.cert"), "").expect("writes it");
        let error = find(&Environment::for_tests(root.path(), &[])).expect_err("is one");
        assert!(error.to_string().contains("client.key is missing"), "{error}");
    }
}
