//! Text as the inside of a JSON string (RFC 8259 section 7), sixteen bytes at a time.
//!
//! Owns: the escapes, and the replacement of invalid UTF-8 by U+FFFD.
//! Promises: what is written is valid UTF-8 and valid JSON, whatever the input; one pass, no allocation.
//! Never: escapes more than it must: `"`, `\` and the control characters below U+0020.

use wide::u8x16;

use super::writer::{BLOCK, Writer};

/// Escapes are reserved for in pieces, so that a long text does not reserve six times its length.
const PIECE: usize = 4096;
/// Longest escape of one byte: `\u00XX`.
const ESCAPE_BYTES_MAX: usize = 6;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes `text[start..start + len]`, which is valid UTF-8, escaped.
#[inline]
pub(super) fn write_escaped(text: &[u8], start: usize, len: usize, out: &mut Writer) {
    let mut from = start;
    let end = start + len;
    while from < end {
        let piece_end = end.min(from + PIECE);
        out.reserve((piece_end - from) * ESCAPE_BYTES_MAX);
        while from < piece_end {
            from += write_run(text, from, piece_end, out);
        }
    }
}

/// Writes the bytes up to the next escape, at most a block of them, and that escape. Returns the bytes it took.
#[inline]
fn write_run(text: &[u8], from: usize, end: usize, out: &mut Writer) -> usize {
    let available = BLOCK.min(end - from);
    let block = match text.get(from..from + BLOCK).and_then(|bytes| <[u8; BLOCK]>::try_from(bytes).ok()) {
        Some(block) => block,
        None => last_block(&text[from..end]),
    };
    let clean = (must_escape(block).trailing_zeros() as usize).min(available);
    out.push_block(block, clean);
    if clean == available {
        return clean;
    }
    write_escape(block[clean], out);
    clean + 1
}

/// The bytes before the end of the text, filled up with zeros.
#[cold]
fn last_block(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let len = rest.len().min(BLOCK);
    block[..len].copy_from_slice(&rest[..len]);
    block
}

/// One bit for each byte of the block that may not stand in a JSON string.
#[inline]
fn must_escape(block: [u8; BLOCK]) -> u32 {
    let bytes = u8x16::new(block);
    let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    let quote = bytes.simd_eq(u8x16::splat(b'"'));
    let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
    (control | quote | backslash).to_bitmask()
}

#[cold]
fn write_escape(byte: u8, out: &mut Writer) {
    let mut block = [0; BLOCK];
    let escape = escape_of(byte);
    block[..ESCAPE_BYTES_MAX].copy_from_slice(&escape.0);
    out.push_block(block, escape.1);
}

/// The escape of one byte and its length.
fn escape_of(byte: u8) -> ([u8; ESCAPE_BYTES_MAX], usize) {
    let short = |letter| ([b'\\', letter, 0, 0, 0, 0], 2);
    match byte {
        b'"' | b'\\' => short(byte),
        b'\n' => short(b'n'),
        b'\r' => short(b'r'),
        b'\t' => short(b't'),
        0x08 => short(b'b'),
        0x0c => short(b'f'),
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            ([b'\\', b'u', b'0', b'0', high, low], ESCAPE_BYTES_MAX)
        }
    }
}

/// Writes any bytes, each invalid UTF-8 sequence as U+FFFD. `escape` says whether the valid parts still need escaping.
pub(super) fn write_lossy(text: &[u8], escape: bool, out: &mut Writer) {
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid().as_bytes();
        if escape {
            write_escaped(valid, 0, valid.len(), out);
        } else {
            out.push(valid);
        }
        if !chunk.invalid().is_empty() {
            out.push("\u{fffd}".as_bytes());
        }
    }
}

/// Appends any bytes, escaped; for texts that are rendered once.
pub(super) fn append_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut writer = Writer::default();
    write_lossy(text, true, &mut writer);
    out.extend_from_slice(writer.as_slice());
}
