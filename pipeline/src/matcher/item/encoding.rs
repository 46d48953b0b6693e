//! Values as attackers write them: Base64, UTF-16, the dashes of Windows.
//!
//! Owns: the modifiers `base64`, `base64offset`, `utf16…` and `windash`.
//! Promises: `base64offset` finds the value at any place of what was encoded.
//! Never: decodes an event.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::super::modifier::Modifier;
use super::super::pattern::Piece;

/// The characters that Windows takes for the dash of an option.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// The bytes of a text in the character encoding that a modifier names; UTF-8 without one.
pub(super) fn encoded(text: &str, modifier: Option<Modifier>) -> Vec<u8> {
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    match modifier {
        Some(Modifier::Utf16LittleEndian) => little(text),
        Some(Modifier::Utf16BigEndian) => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Some(Modifier::Utf16) => little(&format!("\u{feff}{text}")),
        _ => text.as_bytes().to_vec(),
    }
}

/// The Base64 of these bytes (RFC 4648 section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// What stands in the Base64 of anything that holds these bytes, for each of the three places, modulo 3, at which they
/// may begin. Characters that depend on the bytes around are left out.
pub(super) fn base64_offsets(bytes: &[u8]) -> Vec<String> {
    let offsets = (0..3).map(|before: usize| {
        let mut padded = vec![0; before];
        padded.extend_from_slice(bytes);
        let text = STANDARD_NO_PAD.encode(&padded);
        // Only characters all of whose six bits are known.
        let first = (before * 8).div_ceil(6);
        text.get(first..padded.len() * 8 / 6).unwrap_or_default().to_owned()
    });
    offsets.filter(|text| !text.is_empty()).collect()
}

/// The pieces with every dash that begins a word as each of the dashes.
pub(super) fn windows_dashes(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut variants = vec![pieces.to_vec()];
    for place in 0..pieces.len() {
        if !begins_option(pieces, place) {
            continue;
        }
        variants = variants
            .iter()
            .flat_map(|variant| {
                DASHES.map(|dash| {
                    let mut variant = variant.clone();
                    variant[place] = Piece::Character(dash);
                    variant
                })
            })
            .collect();
        if variants.len() > super::text::VARIANTS_MAX {
            break;
        }
    }
    variants
}

/// Whether `-` or `/` stands here with a letter, digit or `_` after it and none before it.
fn begins_option(pieces: &[Piece], place: usize) -> bool {
    matches!(pieces[place], Piece::Character('-' | '/'))
        && pieces.get(place + 1).is_some_and(is_word)
        && !pieces[..place].last().is_some_and(is_word)
}

fn is_word(piece: &Piece) -> bool {
    matches!(piece, Piece::Character(character) if character.is_alphanumeric() || *character == '_')
}
