//! What outputs over HTTP share: who we are, whom we trust, and what is said of a request that failed.
//!
//! Owns: [`Auth`], [`Tls`], and the reading of what all HTTP clients and answers have in common.
//! Promises: the debug form of credentials and certificates holds no secret; a header with a secret is marked as such.
//! Never: sends.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue, InvalidHeaderValue, RETRY_AFTER};

/// What rustls says of every certificate that it does not trust; its errors come wrapped, so the text tells.
const BAD_CERTIFICATE: &str = "invalid peer certificate";

/// What rustls says when the server ends a handshake because we showed no certificate.
const NO_CLIENT_CERTIFICATE: &str = "CertificateRequired";

/// How to say who we are.
#[derive(Clone, Default)]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// A user and a password (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A bearer token (RFC 6750).
    Bearer(String),
    /// An API key in its encoded form: base64 of `id:key`.
    ApiKey(String),
}

impl fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
            Self::ApiKey(_) => "ApiKey(…)",
        })
    }
}

/// Certificates, as PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// Certificates of authorities to trust besides the usual ones.
    pub authorities: Option<Vec<u8>>,
    /// Our own certificate and its private key, one after the other.
    pub identity: Option<Vec<u8>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authorities, identity } = self;
        formatter
            .debug_struct("Tls")
            .field("authorities", &authorities.is_some())
            .field("identity", &identity.is_some())
            .finish()
    }
}

/// The `Authorization` header.
pub(crate) fn authorization(auth: &Auth) -> Result<Option<HeaderValue>, InvalidHeaderValue> {
    let text = match auth {
        Auth::None => return Ok(None),
        Auth::Basic { user, password } => format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
        Auth::Bearer(token) => format!("Bearer {token}"),
        Auth::ApiKey(key) => format!("ApiKey {key}"),
    };
    let mut header = HeaderValue::try_from(text)?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// How long the other side asks us to wait, when it says so in seconds.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Why there was no answer from `label`, with what to look at in the config, whose key `address` names the other side.
pub(crate) fn reason(label: &str, address: &str, error: &dyn Error) -> String {
    let mut links = vec![error.to_string()];
    let mut link = error.source();
    while let Some(error) = link {
        links.push(error.to_string());
        link = error.source();
    }
    links.dedup();
    with_remedy(format!("{label}: {}", links.join(": ")), address)
}

/// A reason, with what to look at in the config where TLS is the trouble.
pub(crate) fn with_remedy(mut reason: String, address: &str) -> String {
    if reason.contains(BAD_CERTIFICATE) {
        reason.push_str(&format!("; check `ca_file` and the host in `{address}`"));
    }
    if reason.contains(NO_CLIENT_CERTIFICATE) {
        reason.push_str("; it asks for a certificate: set `client_certificate` and `client_key`");
    }
    reason
}
