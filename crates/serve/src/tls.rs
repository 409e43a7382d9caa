//! The server's certificate and key.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What makes connections private: a certificate, those above it, and the key that belongs to it.
/// Clones are the same: what one takes over is in force for all.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<TlsAcceptor>>);

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate in the text.
    #[error("there is no certificate in it: PEM, the server's own first")]
    NoCertificate,
    /// The certificates cannot be read.
    #[error("the certificates cannot be read")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no key in the text, or one that is encrypted.
    #[error("the key cannot be read: PEM, not encrypted")]
    Key(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// They do not go together.
    #[error("the certificate and the key cannot be used together")]
    Together(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Tls {
    /// Reads certificates, the server's own first, and its key, both PEM. TLS 1.2 and 1.3, HTTP/1.1.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError::Certificate(error.into()))?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.into()))?;
        let together = |error: tokio_rustls::rustls::Error| TlsError::Together(error.into());
        // Said here, not taken from the process: who links this may have chosen another.
        let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(together)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(together)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(Arc::new(RwLock::new(TlsAcceptor::from(Arc::new(config))))))
    }

    /// Takes over another's certificate and key. Connections that are open keep what they began
    /// with.
    pub fn replace(&self, with: &Tls) {
        let acceptor = with.acceptor();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
