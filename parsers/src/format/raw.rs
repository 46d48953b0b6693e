//! `raw`: any line, kept whole as `message`.

use crate::{Context, Reject, Sink, key, preset};

/// Takes every line.
#[inline]
pub(super) fn parse<S: Sink>(line: &[u8], _context: &Context, sink: &mut S) -> Result<(), Reject> {
    sink.text_span(key::MESSAGE, line);
    sink.preset(preset::EVENT);
    Ok(())
}
