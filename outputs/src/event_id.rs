//! The identity of an event, the `_id` of its document: 128 bits as 22 characters of base64url (RFC 4648 section 5, without padding).
//!
//! Owns: [`EventId`], the identity of a stream and an offset in it, both big-endian.
//! Promises: ids of one stream sort like their offsets in the bytes they stand for; one id for one origin.
//! Never: allocates.

/// Characters of an id.
pub(crate) const ID_LEN: usize = 22;
/// Characters that depend on the stream alone; the next holds four bits of the stream and two of the offset.
const STREAM_LEN: usize = 10;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Renders the ids of one stream.
#[derive(Clone, Copy, Debug)]
pub struct EventId {
    /// The last four bits of the stream, in the place that they have in their character.
    stream_rest: u64,
    text: [u8; ID_LEN],
}

impl EventId {
    /// The ids of the stream with this identity.
    #[must_use]
    pub fn new(stream: u64) -> Self {
        let mut text = [0; ID_LEN];
        for (place, character) in text.iter_mut().enumerate().take(STREAM_LEN) {
            *character = character_of(stream >> (64 - 6 * (place + 1)));
        }
        Self { stream_rest: (stream & 0xf) << 2, text }
    }

    /// The id of the event at this offset.
    #[inline]
    pub fn render(&mut self, offset: u64) -> &[u8; ID_LEN] {
        self.text[STREAM_LEN] = character_of(self.stream_rest | offset >> 62);
        for (place, character) in self.text[STREAM_LEN + 1..ID_LEN - 1].iter_mut().enumerate() {
            *character = character_of(offset >> (62 - 6 * (place + 1)));
        }
        self.text[ID_LEN - 1] = character_of((offset & 3) << 4);
        &self.text
    }
}

/// The character of the lowest six bits.
#[inline]
fn character_of(bits: u64) -> u8 {
    ALPHABET[(bits & 63) as usize]
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_base64(stream: u64, offsets in prop::collection::vec(any::<u64>(), 1..20)) {
            let mut id = EventId::new(stream);
            for offset in offsets {
                let mut bytes = stream.to_be_bytes().to_vec();
                bytes.extend(offset.to_be_bytes());
                let expected = URL_SAFE_NO_PAD.encode(bytes);
                prop_assert_eq!(&id.render(offset)[..], expected.as_bytes());
            }
        }
    }
}
