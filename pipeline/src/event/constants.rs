//! Fields that many events share, rendered once.
//!
//! Owns: [`ConstantSet`], an ordered set of constant fields with their JSON, and [`Constants`], the sets of one
//! source for each format and preset.
//! Promises: an output copies one byte string for all of them, unless an event has a field of the same key: the
//! event's field, also a removed one, hides the constant.
//! Never: changes after it was built.

use std::sync::{Arc, OnceLock};

use logweir_parsers::format::FORMATS;
use logweir_parsers::preset::{Constant, PIPELINE_ERROR, PRESETS, PresetId};
use logweir_parsers::{KeyId, key, key::KeySet};

use super::escape::append_escaped;
use crate::parse::{FormatId, Grammar, OwnConstant, OwnFormat};

/// The version of ECS that the documents follow.
const ECS_VERSION: &str = "9.4.0";

/// A constant value.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstantValue {
    /// One string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
    /// A whole number.
    Integer(i64),
    /// A floating-point number, finite.
    Float(f64),
    /// True or false.
    Bool(bool),
}

impl ConstantValue {
    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::new();
        match self {
            Self::Text(text) => append_string(text, &mut json),
            Self::List(items) => {
                json.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        json.push(b',');
                    }
                    append_string(item, &mut json);
                }
                json.push(b']');
            }
            Self::Integer(value) => json.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
            Self::Float(value) => json.extend_from_slice(zmij::Buffer::new().format(*value).as_bytes()),
            Self::Bool(value) => json.extend_from_slice(if *value { b"true" } else { b"false" }),
        }
        json
    }
}

impl From<Constant> for ConstantValue {
    fn from(constant: Constant) -> Self {
        match constant {
            Constant::Text(text) => Self::Text(text.to_owned()),
            Constant::Integer(value) => Self::Integer(value),
            Constant::List(items) => Self::List(items.iter().map(|&item| item.to_owned()).collect()),
        }
    }
}

fn append_string(text: &str, json: &mut Vec<u8>) {
    json.push(b'"');
    append_escaped(text.as_bytes(), json);
    json.push(b'"');
}

/// An ordered set of constant fields and their JSON.
#[derive(Clone, Debug, Default)]
pub struct ConstantSet {
    fields: Vec<ConstantField>,
    json: Vec<u8>,
    keys: KeySet,
}

#[derive(Clone, Debug)]
struct ConstantField {
    key: KeyId,
    value: ConstantValue,
    /// The end of its `,"name":value` in the set's JSON.
    end: usize,
}

impl ConstantSet {
    /// Adds a field, unless the set has one of that key: what is added first wins. `name` is the key's name.
    pub fn add(&mut self, key: KeyId, name: &str, value: ConstantValue) {
        if self.get(key).is_some() {
            return;
        }
        let json = value.to_json();
        // Sets are small and there is one for each file: no room to grow.
        self.fields.reserve_exact(1);
        self.json.reserve_exact(name.len() + json.len() + r#","":"#.len());
        self.json.push(b',');
        append_string(name, &mut self.json);
        self.json.push(b':');
        self.json.extend_from_slice(&json);
        self.keys.insert(key);
        self.fields.push(ConstantField { key, value, end: self.json.len() });
    }

    fn add_known(&mut self, key: KeyId, value: ConstantValue) {
        self.add(key, key::KNOWN[usize::from(key.0)], value);
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: KeyId) -> Option<&ConstantValue> {
        if !self.keys.may_contain(key) {
            return None;
        }
        self.fields.iter().find(|field| field.key == key).map(|field| &field.value)
    }

    /// The fields, in their order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (KeyId, &ConstantValue)> {
        self.fields.iter().map(|field| (field.key, &field.value))
    }

    /// The key of the field at this place in the order.
    pub(crate) fn key(&self, place: usize) -> Option<KeyId> {
        self.fields.get(place).map(|field| field.key)
    }

    /// The JSON of all fields: `,"name":value` for each.
    #[inline]
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// Whether an event with these keys may hide one of the fields (false only when it surely does not).
    #[inline]
    #[must_use]
    pub(super) fn may_be_hidden_by(&self, keys: &KeySet) -> bool {
        self.keys.may_meet(keys)
    }

    /// Each field's key and its `,"name":value`.
    pub(super) fn members(&self) -> impl Iterator<Item = (KeyId, &[u8])> {
        let starts = std::iter::once(0).chain(self.fields.iter().map(|field| field.end));
        self.fields.iter().zip(starts).map(|(field, start)| (field.key, &self.json[start..field.end]))
    }
}

/// The constants of one source: a set for each format and preset, made when it is first needed.
#[derive(Debug)]
pub struct Constants {
    fields: ConstantSet,
    dataset: Option<String>,
    namespace: String,
    /// The formats of the config, at their places in the source's list.
    own: Vec<Option<Arc<OwnFormat>>>,
    sets: Box<[OnceLock<Box<ConstantSet>>]>,
    seconds: Box<[OnceLock<Box<ConstantSet>>]>,
}

impl Constants {
    /// The constants of a source: `fields` from its config (first, so that they win), then those of its format, then the
    /// preset's, then the data stream's. `dataset` overrides the format's own.
    #[must_use]
    pub fn new(fields: ConstantSet, dataset: Option<&str>, namespace: &str) -> Self {
        Self {
            fields,
            dataset: dataset.map(str::to_owned),
            namespace: namespace.to_owned(),
            own: Vec::new(),
            sets: empty(FORMATS.len() * PRESETS.len()),
            seconds: empty(PRESETS.len()),
        }
    }

    /// The same for a source that tries these formats.
    #[must_use]
    pub fn of_formats(mut self, formats: &[Grammar]) -> Self {
        let own = formats.iter().map(|grammar| match grammar {
            Grammar::Own(format) => Some(Arc::clone(format)),
            Grammar::Known(_) => None,
        });
        self.own = own.collect();
        self.sets = empty((FORMATS.len() + formats.len()) * PRESETS.len());
        self
    }

    /// The constants of an event with this format and preset.
    #[inline]
    #[must_use]
    pub fn set(&self, format: FormatId, preset: PresetId) -> &ConstantSet {
        let place = match format {
            FormatId::Known(format) => format as usize,
            FormatId::Own(place) => FORMATS.len() + usize::from(place),
        };
        let slot = &self.sets[place * PRESETS.len() + usize::from(preset.0)];
        slot.get_or_init(|| Box::new(self.make_set(format, preset)))
    }

    /// What a preset adds to the constants of an event that has another one.
    #[inline]
    #[must_use]
    pub fn second(&self, preset: PresetId) -> &ConstantSet {
        self.seconds[usize::from(preset.0)].get_or_init(|| Box::new(self.make_second(preset)))
    }

    /// The dataset of events of this format.
    #[must_use]
    pub fn dataset(&self, format: FormatId) -> &str {
        self.dataset.as_deref().unwrap_or_else(|| match format {
            FormatId::Known(format) => format.dataset(),
            FormatId::Own(_) => self.own_format(format).map_or("", OwnFormat::dataset),
        })
    }

    fn own_format(&self, format: FormatId) -> Option<&OwnFormat> {
        match format {
            FormatId::Known(_) => None,
            FormatId::Own(place) => self.own.get(usize::from(place))?.as_deref(),
        }
    }

    /// The data stream namespace of the source.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    #[cold]
    fn make_second(&self, preset: PresetId) -> ConstantSet {
        let mut set = ConstantSet::default();
        for (key, value) in PRESETS[usize::from(preset.0)] {
            if *key != key::EVENT_KIND && self.fields.get(*key).is_none() {
                set.add_known(*key, (*value).into());
            }
        }
        set
    }

    #[cold]
    fn make_set(&self, format: FormatId, preset: PresetId) -> ConstantSet {
        let text = |text: &str| ConstantValue::Text(text.to_owned());
        let mut set = self.fields.clone();
        // What the format says of its lines is not said of one that it did not take.
        let own = self.own_format(format).filter(|_| preset != PIPELINE_ERROR);
        for OwnConstant { key, name, value, .. } in own.into_iter().flat_map(|own| &own.constants) {
            set.add(*key, name, value.clone());
        }
        for (key, value) in PRESETS[usize::from(preset.0)] {
            set.add_known(*key, (*value).into());
        }
        set.add_known(key::EVENT_DATASET, text(self.dataset(format)));
        set.add_known(key::DATA_STREAM_TYPE, text("logs"));
        set.add_known(key::DATA_STREAM_DATASET, text(self.dataset(format)));
        set.add_known(key::DATA_STREAM_NAMESPACE, text(&self.namespace));
        set.add_known(key::ECS_VERSION, text(ECS_VERSION));
        set
    }
}

/// Slots for sets that are not made yet.
fn empty(count: usize) -> Box<[OnceLock<Box<ConstantSet>>]> {
    std::iter::repeat_with(OnceLock::new).take(count).collect()
}
