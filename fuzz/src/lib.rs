//! What every fuzz target does: parse the input as a line, and hold the grammar to the contract of `Sink`.
//!
//! `cargo +nightly fuzz run json` in this folder fuzzes one format.

use logweir_parsers::{Context, Format, KeyId, Pattern, PresetId, Sink, Zone, key, preset::PRESETS};

/// Parses a line as this format; any result is right but a panic.
pub fn fuzz(format: Format, line: &[u8]) {
    let context = Context::new(1_700_000_000_000_000_000, Zone::fixed(3_600));
    if let Err(reject) = format.parse(line, &context, &mut Checker { line }) {
        assert!(reject.offset <= line.len());
    }
}

/// Compiles the first line of the input as a pattern and parses the rest by it.
pub fn fuzz_pattern(input: &[u8]) {
    let (pattern, line) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len()));
    let Ok(pattern) = str::from_utf8(pattern) else { return };
    match Pattern::new(pattern, &[], &mut |_| Some(key::MESSAGE)) {
        Err(fault) => assert!(pattern.get(fault.span).is_some()),
        Ok(pattern) => {
            let context = Context::new(1_700_000_000_000_000_000, Zone::fixed(3_600));
            if let Err(rejection) = pattern.parse(line, &context, &mut Checker { line }) {
                assert!(rejection.offset <= line.len());
            }
        }
    }
}

struct Checker<'a> {
    line: &'a [u8],
}

impl Checker<'_> {
    fn in_line(&self, span: &[u8]) {
        let (line, span) = (self.line.as_ptr_range(), span.as_ptr_range());
        assert!(line.start <= span.start && span.end <= line.end);
    }

    fn read<'p>(pieces: impl Iterator<Item = &'p [u8]>) {
        assert!(pieces.take(1 << 20).map(<[u8]>::len).sum::<usize>() < 1 << 24);
    }
}

impl Sink for Checker<'_> {
    fn key(&mut self, name: &[u8]) -> Option<KeyId> {
        (!name.len().is_multiple_of(3)).then_some(KeyId(name.len() as u16))
    }

    fn text_span(&mut self, _: KeyId, text: &[u8]) {
        self.in_line(text);
    }

    fn json_text_span(&mut self, _: KeyId, text: &[u8]) {
        self.in_line(text);
    }

    fn json_span(&mut self, _: KeyId, json: &[u8]) {
        self.in_line(json);
    }

    fn member(&mut self, json: &[u8]) {
        self.in_line(json);
    }

    fn made_member(&mut self, _: &[u8], _: &[u8]) {}

    fn made_text<'p>(&mut self, _: KeyId, pieces: impl Iterator<Item = &'p [u8]>) {
        Self::read(pieces);
    }

    fn made_json(&mut self, _: KeyId, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let mut bytes = 0;
        write(&mut |piece| bytes += piece.len());
        assert!(bytes < 1 << 24);
    }

    fn integer(&mut self, _: KeyId, _: i64) {}

    fn float(&mut self, _: KeyId, value: f64) {
        assert!(value.is_finite());
    }

    fn boolean(&mut self, _: KeyId, _: bool) {}

    fn timestamp(&mut self, _: i64) {}

    fn preset(&mut self, preset: PresetId) {
        assert!(usize::from(preset.0) < PRESETS.len());
    }
}
