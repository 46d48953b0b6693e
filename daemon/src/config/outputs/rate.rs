//! The key `rate` of outputs.
//!
//! Owns: [`Rate`], how often something may be sent.
//! Promises: a limit that lets something through.
//! Never: waits.

use std::time::Duration;

use logweir_outputs::rate::RateConfig;

use super::super::decode::Decoder;
use super::super::error::Diagnostic;
use super::super::schema::table;
use super::super::value::tables::Nested;
use super::super::value::{At, Integer};

/// The longest time that is counted in.
const PER_MAX: Duration = Duration::from_secs(24 * 3600);

/// The key as it stands in the config.
pub(super) type Rate = Option<At<Nested<RateKeys>>>;

table! {
    /// How often something may be sent.
    pub(super) struct RateKeys {
        /// Most requests or mails in the time `per`.
        requests: Integer<usize, 1, 10_000>,
        /// The time in which they are counted, "24h" at most.
        per: Duration,
    }
}

/// The limit, if there is one; what is wrong goes to the decoder.
pub(super) fn rate(rate: Rate, decoder: &mut Decoder<'_>) -> Option<Option<RateConfig>> {
    let Some(At { value: Nested(keys), place }) = rate else { return Some(None) };
    if keys.per.is_zero() || keys.per > PER_MAX {
        decoder.report(
            Diagnostic::error("`per` is out of range")
                .at(place, "expected a time of at most \"24h\", and not zero"),
        );
        return None;
    }
    Some(Some(RateConfig { requests: keys.requests.0, per: keys.per }))
}
