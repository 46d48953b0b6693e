//! `window` of an aggregate or a rule.
//!
//! Owns: its keys, and what of them goes together.
//! Promises: what is wrong is told with what would be right.
//! Never: holds an event.

use std::time::Duration;

use logweir_pipeline::aggregate::WindowTime;
use logweir_pipeline::rule::CountWindow;
use logweir_pipeline::watermark::nanos;
use logweir_pipeline::window::{Grid, GridError, Windows};

use super::super::decode::Decoder;
use super::super::error::{Diagnostic, Place};
use super::super::schema::table;
use super::super::value::{At, Words};

/// The longest session, when the config does not say.
const SESSION_MAX: Duration = Duration::from_secs(24 * 3600);

table! {
    /// The keys of `window`.
    pub(in crate::config) struct WindowKeys {
        /// For rules: the time before each event, both ends in: `{ sliding = "2m" }`.
        sliding: Option<At<Duration>>,
        /// Windows of this length, one after the other: `{ tumbling = "5m" }`.
        tumbling: Option<At<Duration>>,
        /// Windows of this length that begin `every` so often, and overlap: `{ hopping = "10m", every = "1m" }`.
        hopping: Option<At<Duration>>,
        /// As long as two events of a group are never further apart than this, they are in one session: `{ session = "30m" }`.
        session: Option<At<Duration>>,
        /// The time from the beginning of a hopping window to that of the next.
        every: Option<At<Duration>>,
        /// How long after 1970-01-01T00:00:00Z the first tumbling or hopping window begins; the others follow from it. Absent: 0.
        offset: Option<At<Duration>>,
        /// The longest session, after which another begins. Absent: a day.
        max: Option<At<Duration>>,
        /// Whether the time counts when events happened, "event", or when they were read, "ingest".
        time: WindowTime = "event",
    }
}

impl Words for WindowTime {
    const WORDS: &'static [(&'static str, Self)] = &[("event", Self::Event), ("ingest", Self::Ingest)];
}

impl WindowKeys {
    /// The windows; what is wrong goes to the decoder.
    pub(in crate::config) fn checked(
        self,
        place: Place,
        decoder: &mut Decoder<'_>,
    ) -> Option<(Windows, WindowTime)> {
        if let Some(sliding) = &self.sliding {
            decoder.report(
                Diagnostic::error("sliding windows are of rules")
                    .at(sliding.place, "expected `tumbling`, `hopping` or `session`")
                    .help(
                        "a result for each event would be as many results as events; `hopping` comes near it",
                    ),
            );
            return None;
        }
        let Self { tumbling, hopping, session, every, offset, max, time, .. } = self;
        let start = |offset: &Option<At<Duration>>| offset.as_ref().map_or(0, |offset| nanos(offset.value));
        match (tumbling, hopping, session) {
            (Some(size), None, None) => {
                refuse(decoder, "tumbling", &[("every", &every), ("max", &max)])?;
                let length = nanos(size.value);
                grid(length, length, start(&offset), size.place, decoder).map(|windows| (windows, time))
            }
            (None, Some(size), None) => {
                refuse(decoder, "hopping", &[("max", &max)])?;
                let Some(every) = every else {
                    decoder.report(
                        Diagnostic::error("hopping windows need to know how often one begins")
                            .at(size.place, "expected `every = \"1m\"` beside it")
                            .help("windows that follow one another without overlap are `tumbling`"),
                    );
                    return None;
                };
                let (length, step) = (nanos(size.value), nanos(every.value));
                grid(length, step, start(&offset), every.place, decoder).map(|windows| (windows, time))
            }
            (None, None, Some(gap)) => {
                refuse(decoder, "session", &[("every", &every), ("offset", &offset)])?;
                let max = nanos(max.map_or(SESSION_MAX, |max| max.value));
                Some((Windows::Session { gap: nanos(gap.value), max }, time))
            }
            _ => {
                decoder.report(Diagnostic::error("a window is of one kind").at(
                    place,
                    "expected one of `tumbling`, `hopping` and `session`, such as { tumbling = \"5m\" }",
                ));
                None
            }
        }
    }
}

impl WindowKeys {
    /// The length of a window that is sliding, and no more is said of it.
    pub(in crate::config) fn only_sliding(self) -> Option<Duration> {
        let Self { sliding, tumbling, hopping, session, every, offset, max, time } = self;
        let others = [tumbling, hopping, session, every, offset, max];
        let is_alone = others.iter().all(Option::is_none) && time == WindowTime::Event;
        sliding.filter(|_| is_alone).map(|span| span.value)
    }

    /// The length of a window that is tumbling, and no more is said of it.
    pub(in crate::config) fn only_tumbling(self) -> Option<Duration> {
        let Self { sliding, tumbling, hopping, session, every, offset, max, time } = self;
        let others = [sliding, hopping, session, every, offset, max];
        let is_alone = others.iter().all(Option::is_none) && time == WindowTime::Event;
        tumbling.filter(|_| is_alone).map(|size| size.value)
    }

    /// The window of a rule that counts; what is wrong goes to the decoder.
    pub(in crate::config) fn of_count(self, place: Place, decoder: &mut Decoder<'_>) -> Option<CountWindow> {
        if self.time == WindowTime::Ingest {
            decoder.report(
                Diagnostic::error("rules go by the time when events happened")
                    .at(place, "expected no `time = \"ingest\"` here"),
            );
            return None;
        }
        let offset = self.offset.as_ref().map_or(0, |offset| nanos(offset.value));
        if self.sliding.is_some() {
            let Some(span) = self.only_sliding() else {
                decoder.report(
                    Diagnostic::error("a window is of one kind").at(place, "expected `sliding` alone"),
                );
                return None;
            };
            return Some(CountWindow::Sliding { span: nanos(span) });
        }
        match self.checked(place, decoder)?.0 {
            Windows::Grid(grid) => {
                Some(CountWindow::Hopping { size: grid.size(), every: grid.every(), offset })
            }
            Windows::Session { gap, max } => Some(CountWindow::Session { gap, max }),
        }
    }
}

/// Tells of keys that mean nothing for a kind of windows.
fn refuse(decoder: &mut Decoder<'_>, kind: &str, keys: &[(&str, &Option<At<Duration>>)]) -> Option<()> {
    let mut found = keys.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value.place)));
    let Some((name, place)) = found.next() else { return Some(()) };
    decoder.report(
        Diagnostic::error(format!("`{name}` means nothing for {kind} windows"))
            .at(place, "expected this key to be left out"),
    );
    None
}

fn grid(size: i64, every: i64, offset: i64, place: Place, decoder: &mut Decoder<'_>) -> Option<Windows> {
    let error = match Grid::new(size, every, offset) {
        Ok(grid) => return Some(Windows::Grid(grid)),
        Err(error) => error,
    };
    let expected = match error {
        GridError::Empty => "expected more than 0",
        GridError::Gaps => "expected at most the length of a window",
        GridError::Panes => "expected at least a thousandth of the window, and one that divides it",
    };
    decoder.report(Diagnostic::error(error.to_string()).at(place, expected));
    None
}
