//! Text as the inside of a JSON string (RFC 8259 section 7), sixteen bytes at a time.
//!
//! Owns: the escapes, and the replacement of invalid UTF-8 by U+FFFD.
//! Promises: what is written is valid UTF-8 and valid JSON, whatever the input; one pass, no allocation.
//! Never: escapes more than it must: `"`, `\` and the control characters below U+0020.

use wide::u8x16;

use super::writer::{BLOCK, Writer, block_at};

/// Escapes are reserved for in pieces, so that a long text does not reserve six times its length.
const PIECE: usize = 4096;
/// Longest escape of one byte: `\u00XX`.
const ESCAPE_BYTES_MAX: usize = 6;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes `text[start..start + len]`, which is valid UTF-8, escaped. Most text needs no escape and is only copied.
#[inline]
pub(super) fn write_escaped(text: &[u8], start: usize, len: usize, out: &mut Writer) {
    let clean = copy_clean(text, start, len, out.room(len));
    out.advance(clean);
    if clean < len {
        write_with_escapes(text, start + clean, len - clean, out);
    }
}

/// Copies whole blocks until one holds a byte that must be escaped. Returns the bytes copied: `len` if there is none.
#[inline]
fn copy_clean(text: &[u8], start: usize, len: usize, room: &mut [u8]) -> usize {
    let (blocks, rest) = text[start..start + len].as_chunks::<BLOCK>();
    let mut done = 0;
    for (block, place) in blocks.iter().zip(room.as_chunks_mut::<BLOCK>().0) {
        if must_escape(*block) != 0 {
            return done;
        }
        *place = *block;
        done += BLOCK;
    }
    if rest.is_empty() {
        return done;
    }
    let block = block_at(text, start + done).copied().unwrap_or_else(|| last_block(rest));
    match (
        room.get_mut(done..).and_then(<[u8]>::first_chunk_mut),
        must_escape(block) & ((1 << rest.len()) - 1),
    ) {
        (Some(place), 0) => {
            *place = block;
            len
        }
        _ => done,
    }
}

/// The same for text that holds escapes.
#[inline(never)]
fn write_with_escapes(text: &[u8], start: usize, len: usize, out: &mut Writer) {
    let mut from = start;
    let end = start + len;
    while from < end {
        let piece_end = end.min(from + PIECE);
        let room = out.room((piece_end - from) * ESCAPE_BYTES_MAX);
        let mut written = 0;
        while from < piece_end {
            from += write_run(text, from, piece_end, room, &mut written);
        }
        out.advance(written);
    }
}

/// Writes the bytes up to the next escape, at most a block of them, and that escape. Returns the bytes it took.
#[inline]
fn write_run(text: &[u8], from: usize, end: usize, room: &mut [u8], written: &mut usize) -> usize {
    let available = BLOCK.min(end - from);
    let block = block_at(text, from).copied().unwrap_or_else(|| last_block(&text[from..end]));
    let clean = (must_escape(block).trailing_zeros() as usize).min(available);
    room[*written..*written + BLOCK].copy_from_slice(&block);
    *written += clean;
    if clean == available {
        return clean;
    }
    let escape = &ESCAPES[usize::from(text[from + clean])];
    room[*written..*written + BLOCK].copy_from_slice(&escape.text);
    *written += escape.len;
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

/// The escape of one byte: the first `len` bytes of `text`.
#[derive(Clone, Copy)]
struct Escape {
    text: [u8; BLOCK],
    len: usize,
}

/// The escape of each byte that must be escaped, by that byte. The last such byte is the backslash.
static ESCAPES: [Escape; b'\\' as usize + 1] = {
    let mut escapes = [Escape { text: [0; BLOCK], len: 0 }; b'\\' as usize + 1];
    let mut byte = 0;
    while byte < escapes.len() {
        escapes[byte] = escape_of(byte);
        byte += 1;
    }
    escapes
};

const fn escape_of(byte: usize) -> Escape {
    let mut text = [0; BLOCK];
    text[0] = b'\\';
    let letter = match byte {
        0x22 | 0x5c => byte as u8,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            text[1] = b'u';
            text[2] = b'0';
            text[3] = b'0';
            text[4] = HEX[byte >> 4 & 15];
            text[5] = HEX[byte & 15];
            return Escape { text, len: ESCAPE_BYTES_MAX };
        }
    };
    text[1] = letter;
    Escape { text, len: 2 }
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
