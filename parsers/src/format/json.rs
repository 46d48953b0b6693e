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
    shape::Known,
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
    fields.begin_line();
    let (rest, ()) = members(blank(line), |line| top_level(line, fields))?;
    let (rest, _) = context("the end of the line", eof).parse(blank(rest))?;
    Ok((rest, ()))
}

/// A member of an object before its value is read.
#[derive(Clone, Copy)]
struct Member<'a> {
    name: Value<'a>,
    /// The line from the name on.
    line: &'a [u8],
    /// The line from the value on.
    value: &'a [u8],
}

impl<'a> Member<'a> {
    /// Reads the name of the member that the line begins with.
    #[inline(always)] // as `top_level`
    fn read<E: Explain<'a>>(line: &'a [u8]) -> Result<Self, nom::Err<E>> {
        let (value, name) = scan::name(line)?;
        Ok(Self { name, line, value })
    }

    /// The whole text of the member, which ends before `rest`.
    #[inline]
    fn text(&self, rest: &[u8]) -> &'a [u8] {
        up_to(self.line, rest)
    }

    #[inline]
    fn is_object(&self) -> bool {
        self.value.first() == Some(&b'{')
    }
}

/// What comes before `rest`, with which the line ends.
#[inline]
fn up_to<'a>(line: &'a [u8], rest: &[u8]) -> &'a [u8] {
    &line[..line.len() - rest.len()]
}

/// Walks over an object; `take` reads the member that its argument begins with.
#[inline]
fn members<'a, E: Explain<'a>>(
    input: &'a [u8],
    mut take: impl FnMut(&'a [u8]) -> Parsed<'a, (), E>,
) -> Parsed<'a, (), E> {
    let (rest, ()) = context("a JSON object", byte(b'{')).parse(input)?;
    let mut line = blank(rest);
    if let [b'}', rest @ ..] = line {
        return Ok((rest, ()));
    }
    loop {
        let (rest, ()) = take(line)?;
        match blank(rest) {
            [b',', rest @ ..] => line = blank(rest),
            [b'}', rest @ ..] => return Ok((rest, ())),
            rest => return expected(rest, "a comma or `}`"),
        }
    }
}

/// A member of the line's own object.
#[inline(always)] // a member is eight words, which a call would pass through memory
fn top_level<'a, E: Explain<'a>, S: Sink>(line: &'a [u8], fields: &mut Fields<'_, S>) -> Parsed<'a, (), E> {
    match fields.guess(line) {
        Some((value_at, known)) => top_level_known(line, value_at, known, fields),
        None => top_level_new(line, fields),
    }
}

/// A member that was guessed: its name is not read.
#[inline(always)] // as `top_level`
fn top_level_known<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    value_at: usize,
    known: Known,
    fields: &mut Fields<'_, S>,
) -> Parsed<'a, (), E> {
    let (name, value_line) = (&line[1..=known.name_len], blank(&line[value_at..]));
    if matches!(known.role, Role::Object(_)) {
        let member = Member { name: Value::new(Kind::Text, name), line, value: value_line };
        return meaningful(name, known.role, member, fields);
    }
    let (rest, value) = value(value_line)?;
    fields.put_known(name, known, value, Some(up_to(line, rest)));
    Ok((rest, ()))
}

/// A member that has to be read.
fn top_level_new<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    fields: &mut Fields<'_, S>,
) -> Parsed<'a, (), E> {
    let member = Member::read(line)?;
    if member.name.kind != Kind::Text {
        return top_level_unescaped(member, fields);
    }
    let name = member.name.bytes;
    let role = role(name);
    let key = if matches!(role, Role::Own) { fields.key(name) } else { None };
    fields.remember(up_to(line, member.value), Known { name_len: name.len(), role, key });
    meaningful(name, role, member, fields)
}

/// A member whose name has escapes.
#[cold]
fn top_level_unescaped<'a, E: Explain<'a>, S: Sink>(
    member: Member<'a>,
    fields: &mut Fields<'_, S>,
) -> Parsed<'a, (), E> {
    let mut name = Name::EMPTY;
    match join(&mut name, member.name) {
        Some(()) => meaningful(name.as_bytes(), role(name.as_bytes()), member, fields),
        // Longer than any name that means something.
        None => whole(member, fields),
    }
}

/// A member by its role.
fn meaningful<'a, E: Explain<'a>, S: Sink>(
    name: &[u8],
    role: Role,
    member: Member<'a>,
    fields: &mut Fields<'_, S>,
) -> Parsed<'a, (), E> {
    if matches!(role, Role::Object(_)) && member.is_object() {
        let mut path = Name::EMPTY;
        return match path.join(name) {
            Some(()) => flatten(&mut path, member.value, 1, fields),
            None => whole(member, fields),
        };
    }
    let (rest, value) = value(member.value)?;
    fields.put(name, role, value, Some(member.text(rest)));
    Ok((rest, ()))
}

/// Puts a member as it stands in the line.
fn whole<'a, E: Explain<'a>, S: Sink>(member: Member<'a>, fields: &mut Fields<'_, S>) -> Parsed<'a, (), E> {
    let (rest, _) = value(member.value)?;
    fields.member(member.text(rest));
    Ok((rest, ()))
}

/// Puts the members of an object under dotted names.
fn flatten<'a, E: Explain<'a>, S: Sink>(
    path: &mut Name,
    object: &'a [u8],
    depth: u32,
    fields: &mut Fields<'_, S>,
) -> Parsed<'a, (), E> {
    let prefix = path.len();
    members(object, |line| {
        let member = Member::read(line)?;
        // A name too long for any mapping loses its prefix, not its value.
        let taken = if join(path, member.name).is_none() {
            whole(member, fields)
        } else if member.is_object() && depth < FLATTEN_DEPTH_MAX {
            flatten(path, member.value, depth + 1, fields)
        } else {
            dotted(path, member, fields)
        };
        path.truncate(prefix);
        taken
    })
}

#[inline]
fn dotted<'a, E: Explain<'a>, S: Sink>(
    path: &Name,
    member: Member<'a>,
    fields: &mut Fields<'_, S>,
) -> Parsed<'a, (), E> {
    let (rest, value) = value(member.value)?;
    if value.kind != Kind::Null {
        fields.own(path.as_bytes(), value, None);
    }
    Ok((rest, ()))
}

#[inline]
fn join(path: &mut Name, name: Value<'_>) -> Option<()> {
    if name.kind == Kind::JsonText { path.join_json(name.bytes) } else { path.join(name.bytes) }
}
