//! A sink that costs what the pipeline's costs.

use logweir_parsers::{KeyId, PresetId, Sink, key};

/// A field of 16 bytes: key, tag, length, and a place in the line, a number, or a place in the made texts.
#[derive(Clone, Copy)]
#[allow(dead_code)] // written only: reading is the encoder's work
struct Field {
    key: u16,
    tag: u8,
    length: u32,
    value: u64,
}

const SLOTS: usize = 512;

/// Collects the fields of many lines.
pub(crate) struct FieldSink {
    fields: Vec<Field>,
    made: Vec<u8>,
    line: usize,
    names: Vec<Vec<u8>>,
    slots: Box<[u16; SLOTS]>,
}

impl Default for FieldSink {
    fn default() -> Self {
        let mut sink = Self {
            fields: Vec::new(),
            made: Vec::new(),
            line: 0,
            names: Vec::new(),
            slots: Box::new([u16::MAX; SLOTS]),
        };
        for name in key::KNOWN {
            sink.key(name.as_bytes());
        }
        sink
    }
}

impl FieldSink {
    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.made.clear();
    }

    pub(crate) fn begin(&mut self, line: &[u8]) {
        self.line = line.as_ptr() as usize;
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    fn span(&mut self, key: KeyId, tag: u8, text: &[u8]) {
        let value = (text.as_ptr() as usize - self.line) as u64;
        self.fields.push(Field { key: key.0, tag, length: text.len() as u32, value });
    }

    fn pieces<'p>(&mut self, key: KeyId, tag: u8, pieces: impl Iterator<Item = &'p [u8]>) {
        let value = self.made.len();
        pieces.for_each(|piece| self.made.extend_from_slice(piece));
        let length = (self.made.len() - value) as u32;
        self.fields.push(Field { key: key.0, tag, length, value: value as u64 });
    }
}

fn hash(name: &[u8]) -> usize {
    let mut hash = name.len() as u64;
    for chunk in name.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    (hash >> 32) as usize % SLOTS
}

impl Sink for FieldSink {
    fn key(&mut self, name: &[u8]) -> Option<KeyId> {
        let mut slot = hash(name);
        loop {
            let number = self.slots[slot];
            match self.names.get(usize::from(number)) {
                Some(known) if known == name => return Some(KeyId(number)),
                Some(_) => slot = (slot + 1) % SLOTS,
                None => {
                    self.slots[slot] = self.names.len() as u16;
                    self.names.push(name.to_vec());
                }
            }
        }
    }

    fn text_span(&mut self, key: KeyId, text: &[u8]) {
        self.span(key, 0, text);
    }

    fn json_text_span(&mut self, key: KeyId, text: &[u8]) {
        self.span(key, 1, text);
    }

    fn json_span(&mut self, key: KeyId, json: &[u8]) {
        self.span(key, 2, json);
    }

    fn member(&mut self, json: &[u8]) {
        self.span(KeyId(u16::MAX), 3, json);
    }

    fn made_member(&mut self, name: &[u8], value: &[u8]) {
        self.pieces(KeyId(u16::MAX), 4, &mut [name, value].into_iter());
    }

    fn made_text<'p>(&mut self, key: KeyId, pieces: impl Iterator<Item = &'p [u8]>) {
        self.pieces(key, 5, pieces);
    }

    fn made_json(&mut self, key: KeyId, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let value = self.made.len();
        write(&mut |piece| self.made.extend_from_slice(piece));
        let length = (self.made.len() - value) as u32;
        self.fields.push(Field { key: key.0, tag: 6, length, value: value as u64 });
    }

    fn integer(&mut self, key: KeyId, value: i64) {
        self.fields.push(Field { key: key.0, tag: 7, length: 0, value: value as u64 });
    }

    fn float(&mut self, key: KeyId, value: f64) {
        self.fields.push(Field { key: key.0, tag: 10, length: 0, value: value.to_bits() });
    }

    fn boolean(&mut self, key: KeyId, value: bool) {
        self.fields.push(Field { key: key.0, tag: 11, length: 0, value: u64::from(value) });
    }

    fn timestamp(&mut self, nanos: i64) {
        self.fields.push(Field { key: key::TIMESTAMP.0, tag: 8, length: 0, value: nanos as u64 });
    }

    fn preset(&mut self, preset: PresetId) {
        self.fields.push(Field { key: 0, tag: 9, length: 0, value: u64::from(preset.0) });
    }
}
