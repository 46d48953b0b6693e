//! The headers of a webhook.
//!
//! Owns: [`Headers`], names of headers and their secret values.
//! Promises: a value is read as any secret is, also from a file.
//! Never: judges a name; the client does.

use super::super::super::decode::{Decoder, Given};
use super::super::super::secret::Secret;
use super::super::super::value::tables::{Named, named};
use super::super::super::value::{Description, Value};

/// Names of headers and their values.
pub(super) struct Headers(pub(super) Named<Secret>);

impl Value for Headers {
    const SECRET: bool = true;

    fn describe() -> Description {
        Description::new(
            "table of secrets",
            "a table of headers, such as { X-Api-Key = \"file:/run/secrets/key\" }",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        named(given, decoder, Secret::decode).map(Self)
    }
}
