//! The steps that drop a part of the events: `sample`, `throttle`, `dedupe`.
//!
//! Owns: their keys.
//! Promises: what they remember has a bound.
//! Never: touches an event.

use std::sync::Arc;
use std::time::Duration;

use logweir_parsers::KeyId;
use logweir_pipeline::Keys;
use logweir_pipeline::transform::{Dedupe, Sample, Step, Throttle};
use toml::de::DeValue;

use super::super::decode::{Decoder, Given};
use super::super::error::{Diagnostic, Place};
use super::super::schema::table;
use super::super::value::{At, Description, Integer, Value};
use super::{IntoStepTable, interned};

table! {
    /// The keys of the step `sample`.
    pub(super) struct SampleKeys {
        /// Share of the events that stay, between 0 and 1.
        rate: Share,
        /// Fields whose values decide: events with the same values stay or go together. Absent: each for itself.
        by: Option<At<Vec<At<String>>>>,
    }
}

table! {
    /// The keys of the step `throttle`.
    pub(super) struct ThrottleKeys {
        /// Events that are let through in the time `per`.
        events: Integer<u64, 1, 1_000_000_000>,
        /// The time, by the clock of the events.
        per: At<Duration>,
        /// Fields whose values make a key; each key has its own count. Absent: all events share one.
        by: Option<At<Vec<At<String>>>>,
        /// Keys that are remembered at once.
        keys_max: Integer<usize, 2, 10_000_000> = 100000,
    }
}

table! {
    /// The keys of the step `dedupe`.
    pub(super) struct DedupeKeys {
        /// Fields whose values make two events the same.
        by: At<Vec<At<String>>>,
        /// How long after the first event others are repeats, by the clock of the events.
        window: At<Duration>,
        /// Keys that are remembered at once.
        keys_max: Integer<usize, 2, 10_000_000> = 100000,
    }
}

/// A number between 0 and 1, both excluded.
pub(super) struct Share(f64);

impl Value for Share {
    fn describe() -> Description {
        Description::new("number above 0 and below 1", "a number above 0 and below 1, such as 0.1")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Float(number) = given.value else {
            return decoder.wrong_type(given);
        };
        match number.as_str().parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Some(Self(share)),
            _ => decoder.wrong(given, None),
        }
    }
}

/// The fields of an optional `by`, which is not empty when it is there.
fn by(names: Option<At<Vec<At<String>>>>, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Vec<KeyId>> {
    names.map_or(Some(Vec::new()), |names| interned(names.value, names.place, keys, decoder))
}

/// A duration above zero.
fn above_zero(duration: &At<Duration>, decoder: &mut Decoder<'_>) -> Option<Duration> {
    if duration.value.is_zero() {
        decoder.report(
            Diagnostic::error("a step that would do nothing")
                .at(duration.place, "expected a duration above zero, such as \"1m\""),
        );
        return None;
    }
    Some(duration.value)
}

impl IntoStepTable for SampleKeys {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        Some(Box::new(Sample::new(self.rate.0, by(self.by, keys, decoder)?)))
    }
}

impl IntoStepTable for ThrottleKeys {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let (by, per) = (by(self.by, keys, decoder), above_zero(&self.per, decoder));
        Some(Box::new(Throttle::new(self.events.0, per?, by?, self.keys_max.0)))
    }
}

impl IntoStepTable for DedupeKeys {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let (by, window) = (by(Some(self.by), keys, decoder), above_zero(&self.window, decoder));
        Some(Box::new(Dedupe::new(by?, window?, self.keys_max.0)))
    }
}
