//! A sink that keeps nothing, for a run that only asks whether a part fits.
//!
//! Owns: [`Nothing`].
//! Promises: costs nothing.
//! Never: looks at a value.

use crate::{KeyId, PresetId, Sink};

/// Keeps nothing.
pub(super) struct Nothing;

impl Sink for Nothing {
    fn key(&mut self, _: &[u8]) -> Option<KeyId> {
        None
    }

    fn text_span(&mut self, _: KeyId, _: &[u8]) {}

    fn json_text_span(&mut self, _: KeyId, _: &[u8]) {}

    fn json_span(&mut self, _: KeyId, _: &[u8]) {}

    fn member(&mut self, _: &[u8]) {}

    fn made_member(&mut self, _: &[u8], _: &[u8]) {}

    fn made_text<'p>(&mut self, _: KeyId, _: impl Iterator<Item = &'p [u8]>) {}

    fn made_json(&mut self, _: KeyId, _: impl FnOnce(&mut dyn FnMut(&[u8]))) {}

    fn integer(&mut self, _: KeyId, _: i64) {}

    fn float(&mut self, _: KeyId, _: f64) {}

    fn boolean(&mut self, _: KeyId, _: bool) {}

    fn timestamp(&mut self, _: i64) {}

    fn preset(&mut self, _: PresetId) {}
}
