//! `type = "syslog"`.
//!
//! Owns: the keys of a syslog source and their checked values.
//! Promises: a wrong URL, an address given twice and a certificate that cannot serve are told before anything starts.
//! Never: opens a socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logweir_pipeline::Keys;
use logweir_pipeline::source::syslog::{ClientCertificate, Listen, SyslogConfig, TlsConfig, TlsError};

use super::super::decode::{Decoder, Found};
use super::super::error::{Diagnostic, Place};
use super::super::schema::{Table, table};
use super::super::value::lists::Item;
use super::super::value::tables::Nested;
use super::super::value::{At, Bytes, Integer, Words};
use super::{SourceKind, host_name};

table! {
    /// The keys of a syslog source.
    pub(super) struct SyslogKeys {
        /// Where to listen: `udp://`, `tcp://` and `tls://` with an IP address and a port, `unix://` (stream) and
        /// `unixgram://` (datagram) with a path, on which everyone may write who can reach its folder.
        listen: Vec<ListenUrl>,
        /// Longest message; of a longer one the rest is cut off and the event marked.
        max_message_bytes: Bytes<usize, 480> = "64KiB",
        /// Most connections of all listeners together; more are refused.
        max_connections: Integer<usize, 1, 1_000_000> = 10000,
        /// How long a connection may be silent before it is closed. Absent: for ever, as what a sender writes into a
        /// closed connection is lost; hosts that are gone are noticed by TCP keepalive.
        idle_timeout: Option<Duration>,
        /// How long a message may take from its first byte to its last; then it is taken as it is.
        frame_timeout: Duration = "30s",
        /// Receive buffer of each datagram socket; the sysctl `net.core.rmem_max` limits it, unless logweir has
        /// `CAP_NET_ADMIN`.
        receive_buffer: Bytes<usize, 4096> = "16MiB",
        /// Certificate of the `tls://` listeners.
        tls: Option<At<Nested<TlsKeys>>>,
    }
}

table! {
    /// The keys of `tls`.
    pub(super) struct TlsKeys {
        /// Certificate (PEM), followed by those that lead to its authority; a changed file serves the next connection.
        certificate: At<PathBuf>,
        /// Key of the certificate (PEM).
        key: At<PathBuf>,
        /// Certificates (PEM) of the authorities of senders. Absent: senders are not asked for a certificate.
        client_ca: Option<At<PathBuf>>,
        /// Whether a sender must show a certificate of `client_ca`.
        client_certificate: ClientCertificate = "require",
    }
}

impl Words for ClientCertificate {
    const WORDS: &'static [(&'static str, Self)] =
        &[("require", Self::Required), ("optional", Self::Optional)];
}

/// A URL to listen on.
pub(super) struct ListenUrl(At<Listen>);

impl Item for ListenUrl {
    const NAMES: (&str, &str) = ("URL or list", "a URL such as \"udp://0.0.0.0:514\", or a list of them");

    fn from_text(At { value, place }: At<String>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match value.parse() {
            Ok(value) => Some(Self(At { value, place })),
            Err(error) => {
                let diagnostic = Diagnostic::error(format!("cannot listen on `{value}`"));
                decoder.report(diagnostic.at(place, format!("{error}")));
                None
            }
        }
    }
}

pub(super) fn source(found: &Found<'_>, _: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<SourceKind> {
    let keys = SyslogKeys::decode(found, decoder)?;
    check_distinct(&keys.listen, decoder)?;
    let tls_place = keys.tls.as_ref().map(|tls| tls.place);
    check_tls_is_used(&keys.listen, tls_place, decoder)?;
    let tls = match keys.tls {
        Some(At { value: Nested(tls), .. }) => Some(tls_config(tls, decoder)?),
        None => None,
    };
    Some(SourceKind::Syslog(Box::new(SyslogConfig {
        listen: keys.listen.into_iter().map(|url| url.0.value).collect(),
        message_bytes_max: keys.max_message_bytes.0,
        connections_max: keys.max_connections.0,
        idle_timeout: keys.idle_timeout,
        frame_timeout: keys.frame_timeout,
        receive_buffer: keys.receive_buffer.0,
        tls,
        host_name: host_name(),
    })))
}

fn check_distinct(urls: &[ListenUrl], decoder: &mut Decoder<'_>) -> Option<()> {
    for (index, ListenUrl(url)) in urls.iter().enumerate() {
        if let Some(ListenUrl(first)) = urls[..index].iter().find(|other| other.0.value == url.value) {
            decoder.report(
                Diagnostic::error(format!("`{}` stands twice", url.value))
                    .at(url.place, "expected another address")
                    .at(first.place, "the first time"),
            );
            return None;
        }
    }
    Some(())
}

/// A `tls://` listener needs `tls`, and `tls` needs a listener.
fn check_tls_is_used(urls: &[ListenUrl], tls: Option<Place>, decoder: &mut Decoder<'_>) -> Option<()> {
    let listener = urls.iter().find(|url| matches!(url.0.value, Listen::Tls(_)));
    match (listener, tls) {
        (Some(ListenUrl(url)), None) => {
            decoder.report(
                Diagnostic::error(format!("`{}` has no certificate", url.value))
                    .at(url.place, "expected the key `tls` beside `listen`")
                    .help("tls = { certificate = \"/etc/logweir/server.pem\", key = \"/etc/logweir/server.key\" }"),
            );
            None
        }
        (None, Some(place)) => {
            decoder.report(
                Diagnostic::error("no listener uses `tls`")
                    .at(place, "expected a URL that begins with tls:// in `listen`"),
            );
            None
        }
        _ => Some(()),
    }
}

/// Reads the files once, as the start will.
fn tls_config(keys: TlsKeys, decoder: &mut Decoder<'_>) -> Option<TlsConfig> {
    let authority_place = keys.client_ca.as_ref().map(|path| path.place);
    let config = TlsConfig {
        certificate: keys.certificate.value,
        key: keys.key.value,
        client_authority: keys.client_ca.map(|path| path.value),
        client_certificate: keys.client_certificate,
    };
    let Err(error) = config.load() else { return Some(config) };
    let place_of = |path: &PathBuf| match path {
        path if *path == config.key => keys.key.place,
        path if Some(path) == config.client_authority.as_ref() => {
            authority_place.unwrap_or(keys.certificate.place)
        }
        _ => keys.certificate.place,
    };
    let (place, expected) = match &error {
        TlsError::Read { path, .. } => (place_of(path), "expected a file that this user may read"),
        TlsError::Empty { path, .. } | TlsError::Pem { path, .. } => {
            (place_of(path), "expected a file in PEM")
        }
        TlsError::Authority { path, .. } => (place_of(path), "expected certificates of authorities"),
        TlsError::Unusable { .. } => (keys.certificate.place, "expected a certificate and its own key"),
    };
    decoder.report(Diagnostic::error(error.to_string()).at(place, expected));
    None
}
