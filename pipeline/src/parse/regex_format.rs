//! Formats that a regular expression describes.
//!
//! Owns: [`RegexFormat`]: the expression, and for each of its named groups the field that it gives.
//! Promises: time linear in the line's length. A group is called as its field: `(?<http.request.method>\w+)`; the group
//! `timestamp` is the event's time.
//! Never: allocates for a line that it takes.

use logweir_parsers::pattern::{Kind, Leaf};
use logweir_parsers::timestamp::TimeLayout;
use logweir_parsers::{Context, KeyId, Rejection, Sink, preset};
use regex::bytes::{CaptureLocations, Regex};

use super::regex_stop::StopFinder;

/// The group that is the time of the event: `@` cannot stand in a group's name.
const TIMESTAMP: &str = "timestamp";

/// A regular expression and its fields.
#[derive(Debug)]
pub struct RegexFormat {
    regex: Regex,
    groups: Box<[Group]>,
    stops: StopFinder,
}

/// A named group.
#[derive(Debug)]
struct Group {
    number: usize,
    what: What,
    /// What a line lacks whose group holds another value.
    expected: Box<str>,
}

#[derive(Debug)]
enum What {
    Field(KeyId, Leaf),
    Time(Box<[TimeLayout]>),
}

/// Why a regular expression is no format.
#[derive(Debug, thiserror::Error)]
pub enum RegexFormatError {
    /// It has no named group.
    #[error("the expression has no named group, so it gives no field")]
    NoGroup,
    /// A type is given to a group that does not exist.
    #[error("no group of the expression is called `{0}`")]
    NoSuchGroup(String),
    /// A group is called as no field can be.
    #[error("`{0}` cannot be a field name")]
    NoField(String),
}

impl RegexFormat {
    /// The format of this expression. `types` are those of its groups, text when they are not among them; `timestamp` are
    /// the layouts of the time.
    ///
    /// # Errors
    /// When a name does not fit.
    pub fn new(
        regex: Regex,
        types: &[(String, Leaf)],
        timestamp: &[TimeLayout],
        key: &mut dyn FnMut(&str) -> Option<KeyId>,
    ) -> Result<Self, RegexFormatError> {
        let names = || regex.capture_names().enumerate().filter_map(|(number, name)| Some((number, name?)));
        if let Some((missing, _)) = types.iter().find(|(name, _)| !names().any(|(_, known)| known == name)) {
            return Err(RegexFormatError::NoSuchGroup(missing.clone()));
        }
        let mut groups = Vec::new();
        for (number, name) in names() {
            let group = if name == TIMESTAMP {
                time_group(number, timestamp)
            } else {
                let leaf = types.iter().find(|(typed, _)| typed == name).map(|(_, leaf)| *leaf);
                let leaf = leaf.unwrap_or(Leaf { kind: Kind::Text, may_be_missing: false });
                let key = key(name).ok_or_else(|| RegexFormatError::NoField(name.to_owned()))?;
                Group { number, what: What::Field(key, leaf), expected: leaf.expected(name).into() }
            };
            groups.push(group);
        }
        if groups.is_empty() {
            return Err(RegexFormatError::NoGroup);
        }
        let stops = StopFinder::new(regex.as_str());
        Ok(Self { regex, groups: groups.into(), stops })
    }

    pub(super) fn regex(&self) -> &Regex {
        &self.regex
    }

    /// Parses one line with a clone of the expression and places for its groups.
    pub(super) fn parse<S: Sink>(
        &self,
        line: &[u8],
        context: &Context,
        regex: &Regex,
        places: &mut CaptureLocations,
        sink: &mut S,
    ) -> Result<(), Rejection<'_>> {
        if regex.captures_read(places, line).is_none() {
            let (offset, expected) = self.stops.stop(line);
            return Err(Rejection { offset, expected });
        }
        for Group { number, what, expected } in &self.groups {
            let Some((start, end)) = places.get(*number) else { continue };
            let text = &line[start..end];
            let is_right = match what {
                What::Field(key, leaf) => leaf.put(Some(*key), text, sink),
                What::Time(layouts) => {
                    let nanos = layouts.iter().find_map(|layout| match layout.read(text, context) {
                        Ok((nanos, length)) if length == text.len() => Some(nanos),
                        _ => None,
                    });
                    nanos.into_iter().for_each(|nanos| sink.timestamp(nanos));
                    nanos.is_some()
                }
            };
            if !is_right {
                return Err(Rejection { offset: start, expected });
            }
        }
        sink.preset(preset::EVENT);
        Ok(())
    }
}

fn time_group(number: usize, layouts: &[TimeLayout]) -> Group {
    let layouts = if layouts.is_empty() { vec![TimeLayout::rfc3339()] } else { layouts.to_vec() };
    let written = layouts.iter().map(|layout| format!("`{}`", layout.as_str())).collect::<Vec<_>>();
    let expected = format!("a time by {}", written.join(" or ")).into();
    Group { number, what: What::Time(layouts.into()), expected }
}
