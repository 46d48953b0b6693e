//! A text that is looked for in every line.
//!
//! Owns: [`Needle`].
//! Promises: finding is linear in what it looks through.
//! Never: allocates after it was made.

use alloc::boxed::Box;

use memchr::{memchr, memmem::Finder};

/// A text, at least one byte.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    bytes: Box<[u8]>,
    /// Absent for one byte.
    finder: Option<Box<Finder<'static>>>,
}

impl Needle {
    pub(super) fn new(text: &[u8]) -> Self {
        let finder = (text.len() > 1).then(|| Box::new(Finder::new(text).into_owned()));
        Self { bytes: text.into(), finder }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes before the first place where it stands.
    #[inline]
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        match &self.finder {
            Some(finder) => finder.find(text),
            None => memchr(*self.bytes.first()?, text),
        }
    }
}
