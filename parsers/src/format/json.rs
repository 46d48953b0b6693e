//! `json`: one JSON object a line, as applications log.
//!
//! ```text
//! {"time":"2023-11-14T22:13:20.5Z","level":"info","msg":"order accepted","order":{"id":7}}
//! ```
//!
//! Owns: the walk over the members of that object.
//! Promises: a value is kept exactly as it stands in the line, numbers digit by digit; a nested value stays JSON.
//! Under the name of an ECS object (`host`, `log`, …), where logweir and the store expect certain fields, it becomes
//! dotted names instead: `{"log":{"level":"info"}}` is `log.level`. The names that mean a time, a level or a
//! message are those of [`application`](super::application).
//! Never: decodes a text, but for a name.

pub(super) mod scan;

use nom::{Parser, combinator::eof, error::context};

use self::scan::{blank, value};
use super::{
    application::{Fields, Kind, Role, Value, role},
    name::Name,
};
use crate::{
    Context, Reject, Sink,
    grammar::{Explain, Parsed, Stopped, byte, expected, reject},
    preset,
};

/// How deep dotted names go; what lies deeper stays JSON.
const FLATTEN_DEPTH_MAX: u32 = 8;

/// Takes a line that is one JSON object.
#[inline]
pub(super) fn parse<S: Sink>(line: &[u8], context: &Context, sink: &mut S) -> Result<(), Reject> {
    if document::<(), S>(line, &mut Fields::new(sink, context)).is_err() {
        return Err(reject(line, document::<Stopped<'_>, S>(line, &mut Fields::new(sink, context))));
    }
    sink.preset(preset::EVENT);
    Ok(())
}

#[inline]
fn document<'a, E: Explain<'a>, S: Sink>(line: &'a [u8], fields: &mut Fields<'_, S>) -> Parsed<'a, (), E> {
    let (rest, ()) = members(blank(line), |name, value, member| {
        top_level(name, value, member, fields);
    })?;
    let (rest, _) = context("the end of the line", eof).parse(blank(rest))?;
    Ok((rest, ()))
}

/// Calls `found` with the name, the value and the whole text of every member of an object.
#[inline]
fn members<'a, E: Explain<'a>>(
    input: &'a [u8],
    mut found: impl FnMut(Value<'a>, Value<'a>, &'a [u8]),
) -> Parsed<'a, (), E> {
    let (rest, ()) = context("a JSON object", byte(b'{')).parse(input)?;
    let mut rest = blank(rest);
    if let [b'}', rest @ ..] = rest {
        return Ok((rest, ()));
    }
    loop {
        let (after_name, name) = scan::name(rest)?;
        let (after, value) = value(after_name)?;
        found(name, value, &rest[..rest.len() - after.len()]);
        match blank(after) {
            [b',', after @ ..] => rest = blank(after),
            [b'}', after @ ..] => return Ok((after, ())),
            after => return expected(after, "a comma or `}`"),
        }
    }
}

#[inline]
fn top_level<S: Sink>(name: Value<'_>, value: Value<'_>, member: &[u8], fields: &mut Fields<'_, S>) {
    if name.kind == Kind::Text {
        return named(name.bytes, value, member, fields);
    }
    let mut unescaped = Name::EMPTY;
    match join(&mut unescaped, name) {
        Some(()) => named(unescaped.as_bytes(), value, member, fields),
        // Longer than any name that means something.
        None => fields.member(member),
    }
}

#[inline]
fn named<S: Sink>(name: &[u8], value: Value<'_>, member: &[u8], fields: &mut Fields<'_, S>) {
    match role(name) {
        Role::Object(_) if value.kind == Kind::Object => {
            let mut path = Name::EMPTY;
            match path.join(name) {
                Some(()) => flatten(&mut path, value.bytes, 1, fields),
                None => fields.member(member),
            }
        }
        role => fields.put(name, role, value, Some(member)),
    }
}

/// Puts the members of an object under dotted names. The object has been scanned before, so it has no errors.
fn flatten<S: Sink>(path: &mut Name, object: &[u8], depth: u32, fields: &mut Fields<'_, S>) {
    let prefix = path.len();
    let walked = members::<()>(object, |name, value, member| {
        match (join(path, name), value.kind) {
            // A name too long for any mapping loses its prefix, not its value.
            (None, _) => fields.member(member),
            (Some(()), Kind::Null) => {}
            (Some(()), Kind::Object) if depth < FLATTEN_DEPTH_MAX => {
                flatten(path, value.bytes, depth + 1, fields);
            }
            (Some(()), _) => fields.put(path.as_bytes(), Role::Own, value, None),
        }
        path.truncate(prefix);
    });
    debug_assert!(walked.is_ok(), "the object was scanned before");
}

#[inline]
fn join(path: &mut Name, name: Value<'_>) -> Option<()> {
    if name.kind == Kind::JsonText { path.join_json(name.bytes) } else { path.join(name.bytes) }
}
