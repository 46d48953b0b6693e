//! TLS for a listener: its certificate, its key, and whose certificates it trusts.
//!
//! Owns: [`TlsConfig`], the paths; [`TlsAcceptor`], which takes changed files over.
//! Promises: new files serve the next connection, at most a second after they changed; files that cannot be used are
//! told once, and the ones before them stay in use.
//! Never: shows a key.

mod subject;

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

pub(super) use subject::subject;

/// How often to look whether the files have changed, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether a sender must show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Without one of a trusted authority it is refused.
    #[default]
    Required,
    /// It may have none; one that it shows must be trusted.
    Optional,
}

/// The files of a TLS listener, in PEM.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// Its certificate, and those that lead from it to an authority.
    pub certificate: PathBuf,
    /// The key of its certificate.
    pub key: PathBuf,
    /// The authorities of senders' certificates; without it nobody is asked for one.
    pub client_authority: Option<PathBuf>,
    /// Whether a sender must show a certificate.
    pub client_certificate: ClientCertificate,
}

/// Why files cannot serve TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds none of what it is for.
    #[error("`{path}` holds no {what} in PEM")]
    Empty {
        /// Its path.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A file is no PEM.
    #[error("`{path}` is no PEM: {source}")]
    Pem {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The certificate and the key cannot be used, or not together.
    #[error("`{certificate}` and `{key}` do not serve together: {source}")]
    Unusable {
        /// The certificate's path.
        certificate: PathBuf,
        /// The key's path.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The authorities cannot be used.
    #[error("`{path}` holds no authority that can be used: {source}")]
    Authority {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
}

impl TlsConfig {
    /// Reads the files.
    ///
    /// # Errors
    /// When one is missing, or they cannot serve.
    pub fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let certificates = certificates(&self.certificate)?;
        let key = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|source| match source {
            pem::Error::NoItemsFound => TlsError::Empty { path: self.key.clone(), what: "private key" },
            source => TlsError::Pem { path: self.key.clone(), source },
        })?;
        let unusable = |source| TlsError::Unusable {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
        let builder = match &self.client_authority {
            Some(path) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(self::certificates(path)?);
                let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                if self.client_certificate == ClientCertificate::Optional {
                    verifier = verifier.allow_unauthenticated();
                }
                let built = verifier.build();
                let path = path.clone();
                builder
                    .with_client_cert_verifier(built.map_err(|source| TlsError::Authority { path, source })?)
            }
            None => builder.with_no_client_auth(),
        };
        builder.with_single_cert(certificates, key).map(Arc::new).map_err(unusable)
    }

    /// What tells a file from the one that stood there before.
    fn versions(&self) -> Vec<Option<(u64, u64, i64, i64)>> {
        let version =
            |metadata: Metadata| (metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec());
        [Some(&self.certificate), Some(&self.key), self.client_authority.as_ref()]
            .into_iter()
            .flatten()
            .map(|path| std::fs::metadata(path).ok().map(version))
            .collect()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned(), what: "certificate" });
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// Accepts TLS connections with the files as they are.
#[derive(Debug)]
pub(super) struct TlsAcceptor {
    config: TlsConfig,
    server: Arc<ServerConfig>,
    versions: Vec<Option<(u64, u64, i64, i64)>>,
    looked_at: Instant,
}

impl TlsAcceptor {
    /// An acceptor with the files as they are now.
    pub(super) fn new(config: TlsConfig) -> Result<Self, TlsError> {
        let versions = config.versions();
        Ok(Self { server: config.load()?, config, versions, looked_at: Instant::now() })
    }

    /// What the next connection is accepted with.
    pub(super) fn current(&mut self) -> tokio_rustls::TlsAcceptor {
        if self.looked_at.elapsed() >= LOOK_EVERY {
            self.looked_at = Instant::now();
            self.reload();
        }
        Arc::clone(&self.server).into()
    }

    fn reload(&mut self) {
        let versions = self.config.versions();
        if versions == self.versions {
            return;
        }
        self.versions = versions;
        match self.config.load() {
            Ok(server) => {
                tracing::info!(certificate = %self.config.certificate.display(), "took a changed certificate over");
                self.server = server;
            }
            Err(error) => {
                tracing::error!(
                    "{error}; the certificate before it stays in use until the files change again"
                );
            }
        }
    }
}
