//! Who may come in, and how: users, rights and TLS, from the files that the command line names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlift_serve::Tls;
use airlift_serve::access::{Access, Rule, Users};
use anyhow::Context;
use clap::Args as Derive;

use crate::failure::Usage;

/// The flags of who may do what.
#[derive(Debug, Derive)]
pub(crate) struct Door {
    /// Users: an htpasswd file with bcrypt hashes, as `htpasswd -B` makes it
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Grant a right, WHO:RIGHT or WHO:RIGHT:PATTERN; repeatable. WHO is a user, * (every user) or anonymous;
    /// RIGHT is read or read-write; in PATTERN * stands for one component of a repository's name
    /// and ** for any number. Without a rule every user may do everything
    #[arg(long = "allow", value_name = "RULE")]
    rules: Vec<Rule>,
    /// Speak TLS with this certificate, PEM, those above it behind it
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl Door {
    /// Users and rights.
    pub(crate) fn access(&self) -> anyhow::Result<Arc<Access>> {
        let users = self.users.as_deref().map(users).transpose()?;
        let access = Access::new(users, self.rules.clone()).map_err(|error| {
            Usage::new(error.to_string(), "--users names the htpasswd file, --allow the rights")
        })?;
        Ok(Arc::new(access))
    }

    /// Reads users, certificate and key again. What is in force changes only when all of it can be
    /// used.
    pub(crate) fn read_again(&self, access: &Access, tls: Option<&Tls>) -> anyhow::Result<()> {
        let (new_access, new_tls) = (self.access()?, self.tls()?);
        access.replace(&new_access);
        if let (Some(tls), Some(new)) = (tls, &new_tls) {
            tls.replace(new);
        }
        Ok(())
    }

    /// The certificate and its key.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<Tls>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let tls = Tls::from_pem(&read(certificate)?, &read(key)?);
        let tls = tls.with_context(|| {
            format!("serving TLS with {} and {} failed", certificate.display(), key.display())
        })?;
        Ok(Some(tls))
    }
}

fn users(file: &Path) -> anyhow::Result<Users> {
    let text = String::from_utf8(read(file)?)
        .with_context(|| format!("{} is not text", file.display()))?;
    let users = Users::parse(&text).map_err(|error| {
        let hint = "`htpasswd -B FILE NAME` adds a user";
        Usage::new(format!("{}, {error}", file.display()), hint)
    })?;
    Ok(users)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    airlift_oci::store::read_small(file).map_err(|error| {
        let text = format!("reading {} failed: {error}", file.display());
        Usage::new(text, "name a file that can be read").into()
    })
}
