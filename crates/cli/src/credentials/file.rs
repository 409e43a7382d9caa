//! A file with credentials, as docker and podman write it. What is not ours in it is kept.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::helper;
use crate::inputs;

/// A file with credentials.
#[derive(Debug)]
pub(crate) struct AuthFile {
    path: PathBuf,
    content: Map<String, Value>,
}

/// Where a login went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In the file itself.
    File(PathBuf),
    /// With a credential helper.
    Helper(String),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::File(path) => write!(f, "in {}", path.display()),
            Kept::Helper(name) => write!(f, "with docker-credential-{name}"),
        }
    }
}

impl AuthFile {
    /// Reads the file at `path`; one that is not there is empty.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match inputs::file_text(path) {
            Ok(text) if text.trim().is_empty() => "{}".to_owned(),
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
            Err(error) => {
                return Err(error).with_context(|| format!("reading {} failed", path.display()));
            }
        };
        // The position alone: the text may hold secrets.
        match serde_json::from_str(&text) {
            Ok(Value::Object(content)) => Ok(AuthFile { path: path.to_owned(), content }),
            Ok(_) => bail!("{} is no file of credentials: it holds no object", path.display()),
            Err(error) => {
                bail!("{}:{}:{} is no JSON", path.display(), error.line(), error.column())
            }
        }
    }

    /// Keeps a login for `registry`, with the helper that the file names for it, else in the file.
    pub(crate) fn store(
        mut self,
        registry: &str,
        user: &str,
        secret: &str,
    ) -> anyhow::Result<Kept> {
        if let Some(helper) = self.helper(registry) {
            helper::store(&helper, registry, user, secret)?;
            return Ok(Kept::Helper(helper));
        }
        let auth = STANDARD.encode(format!("{user}:{secret}"));
        self.auths()?.insert(registry.to_owned(), json!({ "auth": auth }));
        self.write()?;
        Ok(Kept::File(self.path))
    }

    /// Forgets the login for `registry`. `None`: there was none.
    pub(crate) fn erase(mut self, registry: &str) -> anyhow::Result<Option<Kept>> {
        if let Some(helper) = self.helper(registry) {
            return Ok(helper::erase(&helper, registry)?.then_some(Kept::Helper(helper)));
        }
        if self.auths()?.remove(registry).is_none() {
            return Ok(None);
        }
        self.write()?;
        Ok(Some(Kept::File(self.path)))
    }

    /// The helper for `registry`: its own in `credHelpers`, else that of `credsStore`.
    fn helper(&self, registry: &str) -> Option<String> {
        let own = self.content.get("credHelpers").and_then(|helpers| helpers.get(registry));
        let helper = own.or_else(|| self.content.get("credsStore"))?.as_str()?;
        (!helper.is_empty()).then(|| helper.to_owned())
    }

    fn auths(&mut self) -> anyhow::Result<&mut Map<String, Value>> {
        let auths = self.content.entry("auths").or_insert_with(|| Value::Object(Map::new()));
        match auths {
            Value::Object(auths) => Ok(auths),
            _ => bail!("{}: `auths` is no object", self.path.display()),
        }
    }

    /// Replaces the file as a whole; nobody else may read it.
    fn write(&self) -> anyhow::Result<()> {
        // A link stays a link: what it leads to is replaced.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        // What is no file must not be replaced by one.
        if fs::symlink_metadata(&path).is_ok_and(|meta| !meta.is_file()) {
            bail!("writing {} failed: it is no file", path.display());
        }
        let directory = path.parent().unwrap_or(Path::new(".")).to_owned();
        let write = || -> anyhow::Result<()> {
            fs::create_dir_all(&directory)?;
            let mut file = tempfile::Builder::new().prefix(".auth-").tempfile_in(&directory)?;
            serde_json::to_writer_pretty(&mut file, &self.content)?;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("writing {} failed", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{AuthFile, Kept};

    #[test]
    fn a_login_is_kept_beside_what_was_there_and_can_be_forgotten() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("sub/config.json");
        let read = || AuthFile::read(&path).expect("reads");
        read().store("a.io", "u", "p").expect("stores");
        let text = fs::read_to_string(&path).expect("reads");
        assert!(text.contains("\"auth\": \"dTpw\""), "{text}");
        let mode = fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, text.replacen('{', "{\"psFormat\": \"x\",", 1)).expect("writes");
        read().store("b.io:5000", "v", "q").expect("stores");
        let kept = read().erase("a.io").expect("erases");
        assert_eq!(kept, Some(Kept::File(path.clone())));
        assert_eq!(read().erase("a.io").expect("erases"), None);
        let text = fs::read_to_string(&path).expect("reads");
        assert!(text.contains("psFormat") && text.contains("b.io:5000") && !text.contains("a.io"));
    }

    #[test]
    fn what_is_no_file_is_never_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).expect("binds");
        let file = AuthFile { path: path.clone(), content: serde_json::Map::new() };
        let error = file.write().expect_err("is refused").to_string();
        assert!(error.contains("it is no file"), "{error}");
        assert!(!fs::metadata(&path).expect("is there").is_file());
    }

    #[test]
    fn a_damaged_file_is_refused_without_its_text() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.json");
        fs::write(&path, "{\"auths\": {\"a.io\": {\"auth\": secret}}}").expect("writes");
        let error = AuthFile::read(&path).expect_err("is damaged").to_string();
        assert!(error.contains("config.json:1:") && !error.contains("secret"), "{error}");
    }
}
