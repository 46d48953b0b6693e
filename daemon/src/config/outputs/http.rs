//! The keys that outputs over HTTP share.
//!
//! Owns: who we are and whom we trust, as keys and as checked values.
//! Promises: there is at most one way to say who we are; a certificate has its key.
//! Never: reads what is in a certificate; the client that uses it says whether it can.

use logweir_outputs::http::{Auth, Tls};

use super::super::decode::{Decoder, Found};
use super::super::error::{Diagnostic, Place};
use super::super::schema::{Key, Table, table};
use super::super::secret::Secret;
use super::super::value::{At, Content};

pub(super) const KEYS: [&[Key]; 2] = [AuthKeys::KEYS, TlsKeys::KEYS];

table! {
    /// Who we are.
    struct AuthKeys {
        /// User name of basic authentication.
        username: Option<At<String>>,
        /// Password of basic authentication.
        password: Option<At<Secret>>,
        /// API key, encoded as Elasticsearch shows it.
        api_key: Option<At<Secret>>,
        /// Bearer token.
        bearer_token: Option<At<Secret>>,
    }
}

table! {
    /// Whom to trust, and how to prove who we are.
    struct TlsKeys {
        /// Certificates (PEM) of authorities to trust besides the public ones.
        ca_file: Option<Content>,
        /// Own certificate (PEM).
        client_certificate: Option<At<Content>>,
        /// Key of the own certificate (PEM).
        client_key: Option<At<Content>>,
    }
}

/// At most one way to say who we are.
pub(super) fn auth(found: &Found<'_>, decoder: &mut Decoder<'_>) -> Option<Auth> {
    let AuthKeys { username, password, api_key, bearer_token } = AuthKeys::decode(found, decoder)?;
    let place = |key: &Option<At<Secret>>| key.as_ref().map(|key| key.place);
    let ways = [
        ("username", username.as_ref().map(|key| key.place)),
        ("api_key", place(&api_key)),
        ("bearer_token", place(&bearer_token)),
    ];
    let mut ways = ways.into_iter().filter_map(|(key, place)| Some((key, place?)));
    if let (Some((first, first_place)), Some((second, second_place))) = (ways.next(), ways.next()) {
        decoder.report(
            Diagnostic::error(format!("both `{first}` and `{second}` say who this is"))
                .at(second_place, "expected one of the two")
                .at(first_place, "the other"),
        );
        return None;
    }
    match (username, password, api_key, bearer_token) {
        (Some(user), Some(password), ..) => {
            Some(Auth::Basic { user: user.value, password: password.value.expose().to_owned() })
        }
        (Some(user), None, ..) => without("username", user.place, "password", decoder),
        (None, Some(password), ..) => without("password", password.place, "username", decoder),
        (None, None, Some(key), _) => Some(Auth::ApiKey(key.value.expose().to_owned())),
        (None, None, None, Some(token)) => Some(Auth::Bearer(token.value.expose().to_owned())),
        (None, None, None, None) => Some(Auth::None),
    }
}

/// Whom to trust, and our own certificate.
pub(super) fn tls(found: &Found<'_>, decoder: &mut Decoder<'_>) -> Option<Tls> {
    let keys = TlsKeys::decode(found, decoder)?;
    let identity = match (keys.client_certificate, keys.client_key) {
        (Some(certificate), Some(key)) => Some([certificate.value.0, key.value.0].join(&b'\n')),
        (None, None) => None,
        (Some(one), None) => return without("client_certificate", one.place, "client_key", decoder),
        (None, Some(one)) => return without("client_key", one.place, "client_certificate", decoder),
    };
    Some(Tls { authorities: keys.ca_file.map(|content| content.0), identity })
}

/// Says that a key lacks the other with which it belongs.
pub(super) fn without<T>(key: &str, place: Place, missing: &str, decoder: &mut Decoder<'_>) -> Option<T> {
    decoder.report(
        Diagnostic::error(format!("`{key}` without `{missing}`"))
            .at(place, format!("expected `{missing}` beside it")),
    );
    None
}
