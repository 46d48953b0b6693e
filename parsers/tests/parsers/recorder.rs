//! A sink that keeps fields by name, and holds the grammar to the contract of `Sink`.

use std::collections::BTreeMap;

use logweir_parsers::{Context, Format, KeyId, PresetId, Reject, Sink, key};

/// A value, as a test compares it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recorded {
    Text(String),
    Json(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
}

/// Keeps the fields of one line.
pub(crate) struct Recorder<'a> {
    line: &'a [u8],
    has_keys: bool,
    names: Vec<String>,
    pub(crate) fields: BTreeMap<String, Recorded>,
    pub(crate) preset: Option<PresetId>,
}

/// Parses a line. `has_keys` is false for a table of keys that is full.
pub(crate) fn parse<'a>(
    format: Format,
    line: &'a [u8],
    context: &Context,
    has_keys: bool,
) -> Result<Recorder<'a>, Reject> {
    let names = key::KNOWN.iter().map(ToString::to_string).collect();
    let mut recorder = Recorder { line, has_keys, names, fields: BTreeMap::new(), preset: None };
    let result = format.parse(line, context, &mut recorder);
    if let Err(reject) = result {
        assert!(reject.offset <= line.len(), "{} stopped after the end of the line", format.name());
        assert!(
            !reject.expected.is_empty() && reject.expected != "another line",
            "{}: {reject}",
            format.name()
        );
    }
    result.map(|()| recorder)
}

impl<'a> Recorder<'a> {
    /// For fields with these names, numbered in their order.
    pub(crate) fn of_names(line: &'a [u8], names: &[String]) -> Self {
        Self { line, has_keys: true, names: names.to_vec(), fields: BTreeMap::new(), preset: None }
    }
}

impl Recorder<'_> {
    fn put(&mut self, key: KeyId, value: Recorded) {
        self.fields.insert(self.names[usize::from(key.0)].clone(), value);
    }

    /// A text of the line, which the sink stores as a place in it.
    fn in_line(&self, span: &[u8]) -> String {
        let (line, span_range) = (self.line.as_ptr_range(), span.as_ptr_range());
        let is_inside = line.start <= span_range.start && span_range.end <= line.end;
        assert!(is_inside, "a span that is no part of the line: {:?}", String::from_utf8_lossy(span));
        String::from_utf8_lossy(span).into_owned()
    }
}

fn assert_json(json: &str) {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(json) {
        panic!("no JSON: {json}: {error}");
    }
}

impl Sink for Recorder<'_> {
    fn key(&mut self, name: &[u8]) -> Option<KeyId> {
        let name = String::from_utf8_lossy(name);
        let found = self.names.iter().position(|known| *known == name);
        if found.is_none() && self.has_keys {
            self.names.push(name.into_owned());
        }
        found.or(self.has_keys.then(|| self.names.len() - 1)).map(|number| KeyId(number as u16))
    }

    fn text_span(&mut self, key: KeyId, text: &[u8]) {
        let text = self.in_line(text);
        self.put(key, Recorded::Text(text));
    }

    fn json_text_span(&mut self, key: KeyId, text: &[u8]) {
        let text = self.in_line(text);
        let text = serde_json::from_str(&format!("\"{text}\"")).expect("the inside of a JSON string");
        self.put(key, Recorded::Text(text));
    }

    fn json_span(&mut self, key: KeyId, json: &[u8]) {
        let json = self.in_line(json);
        assert_json(&json);
        self.put(key, Recorded::Json(json));
    }

    fn member(&mut self, json: &[u8]) {
        let json = self.in_line(json);
        assert_json(&format!("{{{json}}}"));
        self.fields.insert(json, Recorded::Json("member".into()));
    }

    fn made_member(&mut self, name: &[u8], value: &[u8]) {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        self.fields.insert(name.into_owned(), Recorded::Text(value.into_owned()));
    }

    fn made_text<'p>(&mut self, key: KeyId, pieces: impl Iterator<Item = &'p [u8]>) {
        let text: Vec<u8> = pieces.flatten().copied().collect();
        self.put(key, Recorded::Text(String::from_utf8_lossy(&text).into_owned()));
    }

    fn made_json(&mut self, key: KeyId, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let mut json = Vec::new();
        write(&mut |piece| json.extend_from_slice(piece));
        let json = String::from_utf8_lossy(&json).into_owned();
        assert_json(&json);
        self.put(key, Recorded::Json(json));
    }

    fn integer(&mut self, key: KeyId, value: i64) {
        self.put(key, Recorded::Integer(value));
    }

    fn float(&mut self, key: KeyId, value: f64) {
        assert!(value.is_finite(), "{value} is no JSON");
        self.put(key, Recorded::Float(value));
    }

    fn boolean(&mut self, key: KeyId, value: bool) {
        self.put(key, Recorded::Bool(value));
    }

    fn timestamp(&mut self, nanos: i64) {
        self.put(key::TIMESTAMP, Recorded::Integer(nanos));
    }

    fn preset(&mut self, preset: PresetId) {
        self.preset = Some(preset);
    }
}
