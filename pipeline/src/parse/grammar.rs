//! What reads a line or a text: a grammar of logweir, or a format of the config.
//!
//! Owns: [`Grammar`], [`FormatId`], by which an event says which one took it, and [`Scratch`], what a worker lends.
//! Promises: a grammar of logweir is called directly, as if there were no others.
//! Never: knows how any format looks.

use std::sync::Arc;

use logweir_parsers::{Context, Format, Rejection, Sink};

use super::own::{OwnFormat, State};

/// A format that a source, a field or a step is read by.
#[derive(Clone, Debug)]
pub enum Grammar {
    /// One that every config has.
    Known(Format),
    /// One of this config.
    Own(Arc<OwnFormat>),
}

/// The format of an event: a name that is small and `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormatId {
    /// One that every config has.
    Known(Format),
    /// One of the config: its place in its source's list of formats.
    Own(u16),
}

/// What a worker lends to formats of the config, one of them after the other.
#[derive(Debug, Default)]
pub struct Scratch(Vec<State>);

impl Scratch {
    /// What it lends to this one; made when it is first asked for.
    #[inline]
    pub(super) fn of(&mut self, format: &Arc<OwnFormat>) -> &mut State {
        let known = self.0.iter().position(|state| state.is_of(format));
        let place = known.unwrap_or_else(|| {
            self.0.push(State::new(format));
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

impl Grammar {
    /// Its name in a config.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(format) => format.name(),
            Self::Own(format) => &format.name,
        }
    }

    /// Its number for an event of a source that has it at this place in its list.
    #[inline]
    #[must_use]
    pub fn id(&self, place: usize) -> FormatId {
        match self {
            Self::Known(format) => FormatId::Known(*format),
            #[allow(clippy::cast_possible_truncation)]
            // a config has fewer formats; two that met would share constants
            Self::Own(_) => FormatId::Own(place as u16),
        }
    }

    /// Parses one line, without its line end, into `sink`.
    ///
    /// # Errors
    /// Where it stopped and what it expected there. The sink may have received some fields.
    #[inline]
    pub fn parse<S: Sink>(
        &self,
        line: &[u8],
        context: &Context,
        sink: &mut S,
        scratch: &mut Scratch,
    ) -> Result<(), Rejection<'_>> {
        match self {
            Self::Known(format) => format.parse(line, context, sink),
            Self::Own(format) => format.parse_with(line, context, sink, scratch.of(format)),
        }
    }

    /// Gives the fields that the config adds to what the format finds. They come first, so that a field of the line
    /// replaces the one of its name.
    #[inline]
    pub(crate) fn put_constants<S: Sink>(&self, sink: &mut S) {
        if let Self::Own(format) = self {
            format.put_constants(sink);
        }
    }
}

impl From<Format> for Grammar {
    fn from(format: Format) -> Self {
        Self::Known(format)
    }
}

impl From<Format> for FormatId {
    fn from(format: Format) -> Self {
        Self::Known(format)
    }
}
