//! What `json` and `logfmt` share: the names that application logs use, and where their values go.
//!
//! | name | field |
//! |---|---|
//! | `@timestamp`, `timestamp`, `time`, `ts` | the event's time, if the value is one |
//! | `level`, `severity`, `lvl` | `log.level` |
//! | `msg` | `message` |
//! | `logger` | `log.logger` |
//! | `trace_id`, `traceId`; `span_id`, `spanId` | `trace.id`; `span.id` |
//! | `host`, `service`, `user` with a plain value | `host.name`, `service.name`, `user.name` |
//! | `error`, `log` with a plain value | `error.message`, `message` |
//! | any other name of an ECS object, with a plain value | `labels.<name>` |
//! | the name of an ECS object, with a null | none: it would hide what logweir writes there |
//!
//! Owns: this table, [`role`], and [`Fields`], which applies it.
//! Promises: no value is lost. The first name that stands for a field takes it; a later one that stands for the same
//! field keeps its own name, or goes to `labels.<name>` where its own name is that field. So `msg` and `message` in
//! one line are both kept, while of two `message` the sink keeps the last, as JSON readers do.
//! Never: changes a value.

use super::{name::Name, shape::Known};
use crate::{
    Context, KeyId, Sink,
    key::{self, KeySet},
    timestamp::{epoch, rfc3339},
    unescape::Unescape,
};

/// What a name at the top of an event means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// Nothing but itself.
    Own,
    /// The time of the event.
    Time,
    /// Another name of this field.
    Alias(KeyId),
    /// A field that the store maps as a text.
    Text,
    /// An object in ECS: a plain value would clash with it, and goes to this field or among the labels.
    Object(Option<KeyId>),
}

/// The meaning of a name.
#[inline]
pub(super) fn role(name: &[u8]) -> Role {
    if may_mean(name) { meaning(name) } else { Role::Own }
}

/// Whether a name may mean something: false for nearly all names that do not. By their length and first byte.
#[inline]
fn may_mean(name: &[u8]) -> bool {
    let Some(first) = name.first() else { return false };
    name.len() < 16 && MEANT[usize::from(first & 31)] >> name.len() & 1 == 1
}

/// For each first letter, one bit for each length of the names that mean something.
static MEANT: [u16; 32] = {
    let mut meant = [0; 32];
    let mut number = 0;
    while number < NAMES.len() {
        let name = NAMES[number].as_bytes();
        meant[(name[0] & 31) as usize] |= 1 << name.len();
        number += 1;
    }
    meant
};

/// All names that [`meaning`] knows.
const NAMES: &[&str] = &[
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "level",
    "severity",
    "lvl",
    "msg",
    "logger",
    "trace_id",
    "traceId",
    "span_id",
    "spanId",
    "message",
    "tags",
    "host",
    "service",
    "user",
    "error",
    "log",
    "agent",
    "client",
    "cloud",
    "container",
    "data_stream",
    "destination",
    "device",
    "dll",
    "dns",
    "ecs",
    "email",
    "event",
    "faas",
    "file",
    "gen_ai",
    "group",
    "http",
    "labels",
    "network",
    "observer",
    "orchestrator",
    "organization",
    "package",
    "process",
    "registry",
    "related",
    "rule",
    "server",
    "source",
    "span",
    "threat",
    "tls",
    "trace",
    "transaction",
    "url",
    "user_agent",
    "volume",
    "vulnerability",
];

fn meaning(name: &[u8]) -> Role {
    match name {
        b"@timestamp" | b"timestamp" | b"time" | b"ts" => Role::Time,
        b"level" | b"severity" | b"lvl" => Role::Alias(key::LOG_LEVEL),
        b"msg" => Role::Alias(key::MESSAGE),
        b"logger" => Role::Alias(key::LOG_LOGGER),
        b"trace_id" | b"traceId" => Role::Alias(key::TRACE_ID),
        b"span_id" | b"spanId" => Role::Alias(key::SPAN_ID),
        b"message" | b"tags" => Role::Text,
        b"host" => Role::Object(Some(key::HOST_NAME)),
        b"service" => Role::Object(Some(key::SERVICE_NAME)),
        b"user" => Role::Object(Some(key::USER_NAME)),
        b"error" => Role::Object(Some(key::ERROR_MESSAGE)),
        b"log" => Role::Object(Some(key::MESSAGE)), // the json-file log of a container
        b"agent" | b"client" | b"cloud" | b"container" | b"data_stream" | b"destination" | b"device"
        | b"dll" | b"dns" | b"ecs" | b"email" | b"event" | b"faas" | b"file" | b"gen_ai" | b"group"
        | b"http" | b"labels" | b"network" | b"observer" | b"orchestrator" | b"organization" | b"package"
        | b"process" | b"registry" | b"related" | b"rule" | b"server" | b"source" | b"span" | b"threat"
        | b"tls" | b"trace" | b"transaction" | b"url" | b"user_agent" | b"volume" | b"vulnerability" => {
            Role::Object(None)
        }
        _ => Role::Own,
    }
}

/// The value of a name that stands alone.
const TRUE: &[u8] = b"true";

/// What a value is.
///
/// As wide as the reference beside it in [`Value`]: a value then has no padding, and is passed on in whole words.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// A text with the escapes of JSON.
    JsonText,
    /// A text with backslashes that JSON does not know.
    Escaped,
    /// A number, `true` or `false` of JSON.
    Json,
    /// The `null` of JSON.
    Null,
    /// An object of JSON.
    Object,
    /// An array of JSON.
    Array,
    /// True, because the name is there. It has no bytes.
    Present,
}

/// A value as the line has it.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) kind: Kind,
    /// Its bytes, for a text without the quotes.
    pub(super) bytes: &'a [u8],
}

impl<'a> Value<'a> {
    #[inline]
    pub(super) fn new(kind: Kind, bytes: &'a [u8]) -> Self {
        Self { kind, bytes }
    }

    /// The time that this value writes.
    #[inline]
    fn time(self, context: &Context) -> Option<i64> {
        match self.kind {
            Kind::Text => rfc3339(self.bytes, context).or_else(|| epoch(self.bytes)),
            Kind::Json => epoch(self.bytes),
            _ => None,
        }
    }

    /// Whether this is an object or an array.
    #[inline]
    fn is_nested(self) -> bool {
        matches!(self.kind, Kind::Object | Kind::Array)
    }

    /// Whether this is an array whose first item is an object: where ECS has an object, a list of them will do.
    fn is_list_of_objects(self) -> bool {
        let inside = self.bytes.get(1..).unwrap_or_default();
        self.kind == Kind::Array && inside.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
    }

    #[inline(always)] // nearly every value comes here
    fn put<S: Sink>(self, key: KeyId, sink: &mut S) {
        match self.kind {
            Kind::Text => sink.text_span(key, self.bytes),
            Kind::JsonText => sink.json_text_span(key, self.bytes),
            Kind::Json | Kind::Null | Kind::Object | Kind::Array => sink.json_span(key, self.bytes),
            Kind::Escaped => sink.made_text(key, Unescape::new(self.bytes)),
            Kind::Present => sink.made_json(key, |push| push(TRUE)),
        }
    }

    /// Puts the value under a name that the sink has no key for.
    #[cold]
    fn put_named<S: Sink>(self, name: &[u8], sink: &mut S) {
        sink.made_member(name, if self.kind == Kind::Present { TRUE } else { self.bytes });
    }
}

/// Puts the fields of one line where they belong.
pub(super) struct Fields<'s, S> {
    sink: &'s mut S,
    context: &'s Context,
    /// The well-known fields that have a value.
    taken: KeySet,
    /// Those among them that another name stood for.
    aliased: KeySet,
}

impl<'s, S: Sink> Fields<'s, S> {
    #[inline]
    pub(super) fn new(sink: &'s mut S, context: &'s Context) -> Self {
        Self { sink, context, taken: KeySet::default(), aliased: KeySet::default() }
    }

    /// A line begins: the members are due from the first.
    #[inline]
    pub(super) fn begin_line(&mut self) {
        if let Some(shape) = self.sink.shape() {
            shape.begin_line();
        }
    }

    /// The member that the line begins with, if lines before had it here, and where its value begins.
    #[inline]
    pub(super) fn guess(&mut self, line: &[u8]) -> Option<(usize, Known)> {
        self.sink.shape()?.guess(line)
    }

    /// Remembers a member for the next line. `text` is the line from its name's quote to its value.
    #[inline]
    pub(super) fn remember(&mut self, text: &[u8], known: Known) {
        if let Some(shape) = self.sink.shape() {
            shape.remember(text, known);
        }
    }

    /// The key of a name.
    #[inline]
    pub(super) fn key(&mut self, name: &[u8]) -> Option<KeyId> {
        self.sink.key(name)
    }

    /// Puts a field whose name is known. `member` is its whole text, if that is JSON.
    #[inline(always)] // nearly all members of nearly all lines come here
    pub(super) fn put_known(&mut self, name: &[u8], known: Known, value: Value<'_>, member: Option<&[u8]>) {
        let key = match (known.role, known.key) {
            (Role::Own, Some(key)) if !self.aliased.may_contain(key) => {
                self.taken.insert(key);
                key
            }
            (Role::Alias(key), _) if !value.is_nested() && self.claim(key) => key,
            _ => return self.put(name, known.role, value, member),
        };
        value.put(key, self.sink);
    }

    /// Puts a field. `member` is its whole text, if that is JSON.
    #[inline]
    pub(super) fn put(&mut self, name: &[u8], role: Role, value: Value<'_>, member: Option<&[u8]>) {
        match (role, value.kind) {
            (Role::Own, _) => self.own(name, value, member),
            (Role::Time, _) => self.time(name, value, member),
            (Role::Alias(key), _) if !value.is_nested() && self.claim(key) => value.put(key, self.sink),
            (Role::Alias(_), _) => self.own(name, value, member),
            (Role::Text, Kind::Object) => self.own(name, Value::new(Kind::Text, value.bytes), None),
            (Role::Text, _) => self.own(name, value, member),
            (Role::Object(_), Kind::Null) => {}
            (Role::Object(_), Kind::Object) => self.own(name, value, member),
            (Role::Object(_), Kind::Array) if value.is_list_of_objects() => self.own(name, value, member),
            (Role::Object(Some(key)), kind) if kind != Kind::Array && self.claim(key) => {
                value.put(key, self.sink);
            }
            (Role::Object(_), _) => self.label(name, value),
        }
    }

    /// Puts a member as it stands in the line.
    pub(super) fn member(&mut self, json: &[u8]) {
        self.sink.member(json);
    }

    #[inline]
    fn time(&mut self, name: &[u8], value: Value<'_>, member: Option<&[u8]>) {
        match value.time(self.context) {
            Some(nanos) if self.claim(key::TIMESTAMP) => self.sink.timestamp(nanos),
            _ if name == b"@timestamp" => self.label(name, value),
            _ => self.own(name, value, member),
        }
    }

    /// Puts a field under its own name.
    #[inline]
    pub(super) fn own(&mut self, name: &[u8], value: Value<'_>, member: Option<&[u8]>) {
        match (self.sink.key(name), member) {
            (Some(key), _) if self.aliased.may_contain(key) => self.label(name, value),
            (Some(key), _) => {
                self.taken.insert(key);
                value.put(key, self.sink);
            }
            (None, Some(member)) => self.sink.member(member),
            (None, None) => value.put_named(name, self.sink),
        }
    }

    /// Puts a field among the labels.
    #[cold]
    fn label(&mut self, name: &[u8], value: Value<'_>) {
        let mut label = Name::EMPTY;
        if label.join(b"labels").and_then(|()| label.join(name)).is_none() {
            return value.put_named(name, self.sink);
        }
        match self.sink.key(label.as_bytes()) {
            Some(key) => value.put(key, self.sink),
            None => value.put_named(label.as_bytes(), self.sink),
        }
    }

    /// Takes a field for a name that stands for it, unless it is taken.
    #[inline]
    fn claim(&mut self, key: KeyId) -> bool {
        let is_free = !self.taken.may_contain(key);
        if is_free {
            self.taken.insert(key);
            self.aliased.insert(key);
        }
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_lets_every_name_through_that_means_something() {
        for name in NAMES {
            assert!(may_mean(name.as_bytes()), "{name}");
            assert!(!matches!(meaning(name.as_bytes()), Role::Own), "{name} means nothing");
        }
        assert!(!may_mean(b"path"));
    }
}
