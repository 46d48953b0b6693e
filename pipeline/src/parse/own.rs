//! Formats of the config.
//!
//! Owns: [`OwnFormat`]: a pattern or a regular expression with what the config says about its events, and the state that
//! a worker keeps for it.
//! Promises: taking a line allocates nothing once a worker has seen the format, and takes no lock.
//! Never: reads a config.

use std::iter::once;
use std::sync::Arc;

use logweir_parsers::{Context, KeyId, Pattern, Rejection, Sink, Zone};
use regex::bytes::{CaptureLocations, Regex};

use super::regex_format::RegexFormat;
use crate::event::ConstantValue;

/// The dataset of a format that names none.
const DATASET: &str = "generic";

/// A format of the config.
#[derive(Debug)]
pub struct OwnFormat {
    /// Its name.
    pub name: String,
    /// The `event.dataset` of its events, if it says one.
    pub dataset: Option<String>,
    /// The fields that all its events get.
    pub constants: Vec<OwnConstant>,
    /// The zone of times that name none, if it is not the source's.
    pub zone: Option<Zone>,
    /// How its lines look.
    pub body: Body,
}

/// How lines look.
#[derive(Debug)]
pub enum Body {
    /// As in this pattern.
    Pattern(Pattern),
    /// As this regular expression says.
    Regex(RegexFormat),
}

/// A field that all events of a format get.
#[derive(Debug)]
pub struct OwnConstant {
    /// Its key.
    pub key: KeyId,
    /// The key's name.
    pub name: String,
    /// Its value.
    pub value: ConstantValue,
    json: Vec<u8>,
}

impl OwnConstant {
    /// The constant with this value.
    #[must_use]
    pub fn new(key: KeyId, name: String, value: ConstantValue) -> Self {
        let json = value.to_json();
        Self { key, name, value, json }
    }
}

/// What a worker keeps for a format.
#[derive(Debug)]
pub(super) struct State {
    format: Arc<OwnFormat>,
    /// The format's zone, with the time of reading of the line that is parsed.
    context: Context,
    /// A clone of the expression, whose caches no other worker waits for, and the places of its captures.
    captures: Option<(Regex, CaptureLocations)>,
}

impl State {
    pub(super) fn new(format: &Arc<OwnFormat>) -> Self {
        let captures = match &format.body {
            Body::Pattern(_) => None,
            Body::Regex(body) => Some((body.regex().clone(), body.regex().capture_locations())),
        };
        let zone = format.zone.clone().unwrap_or(Zone::UTC);
        Self { format: Arc::clone(format), context: Context::new(0, zone), captures }
    }

    #[inline]
    pub(super) fn is_of(&self, format: &Arc<OwnFormat>) -> bool {
        Arc::ptr_eq(&self.format, format)
    }
}

impl OwnFormat {
    /// The dataset of its events.
    #[must_use]
    pub fn dataset(&self) -> &str {
        self.dataset.as_deref().unwrap_or(DATASET)
    }

    /// Parses one line with the state that was made for this format.
    pub(super) fn parse_with<S: Sink>(
        &self,
        line: &[u8],
        context: &Context,
        sink: &mut S,
        state: &mut State,
    ) -> Result<(), Rejection<'_>> {
        let State { context: own, captures, .. } = state;
        own.set_read_at(context.read_at());
        let context = if self.zone.is_some() { own } else { context };
        match (&self.body, captures) {
            (Body::Pattern(pattern), _) => pattern.parse(line, context, sink),
            (Body::Regex(body), Some((regex, places))) => body.parse(line, context, regex, places, sink),
            (Body::Regex(body), None) => {
                body.parse(line, context, body.regex(), &mut body.regex().capture_locations(), sink)
            }
        }
    }

    pub(super) fn put_constants<S: Sink>(&self, sink: &mut S) {
        for OwnConstant { key, value, json, .. } in &self.constants {
            match value {
                ConstantValue::Text(text) => sink.made_text(*key, once(text.as_bytes())),
                ConstantValue::List(_) => sink.made_json(*key, |push| push(json)),
                ConstantValue::Integer(number) => sink.integer(*key, *number),
                ConstantValue::Float(number) => sink.float(*key, *number),
                ConstantValue::Bool(truth) => sink.boolean(*key, *truth),
            }
        }
    }
}
