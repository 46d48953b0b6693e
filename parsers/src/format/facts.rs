//! Who did what to whom and from where: the ECS fields that the grammars of host programs share.
//!
//! Owns: [`Facts`], which gives these fields to the sink, and what `related.*` gathers from them.
//! Promises: the same fact has the same field in every program's lines; an empty text gives no field.
//! Never: knows how a line looks.

use nom::{Parser, combinator::eof, error::context};

use super::escape::Escape;
use crate::{
    KeyId, PresetId, Reject, Sink,
    grammar::{Parsed, Stopped, is_ip, reject, whole_number},
    key,
};

/// The most users that one line names.
const USERS_MAX: usize = 3;

/// The facts of one line, on their way to the sink.
pub(super) struct Facts<'s, 'a, S> {
    sink: &'s mut S,
    users: [&'a [u8]; USERS_MAX],
    user_count: usize,
}

impl<'s, 'a, S: Sink> Facts<'s, 'a, S> {
    fn new(sink: &'s mut S) -> Self {
        Self { sink, users: [b""; USERS_MAX], user_count: 0 }
    }

    /// Any text.
    #[inline]
    pub(super) fn text(&mut self, key: KeyId, text: &'a [u8]) {
        if !text.is_empty() {
            self.sink.text_span(key, text);
        }
    }

    /// A number that must be one; another text gives no field.
    #[inline]
    pub(super) fn number(&mut self, key: KeyId, digits: &[u8]) {
        if let Ok(([], number)) = whole_number::<()>(digits) {
            self.sink.integer(key, number);
        }
    }

    /// A text that the grammar had to make.
    #[inline]
    pub(super) fn made(&mut self, key: KeyId, text: &[u8]) {
        self.sink.made_text(key, &mut core::iter::once(text));
    }

    /// Who acts.
    #[inline]
    pub(super) fn user(&mut self, name: &'a [u8]) {
        self.named_user(key::USER_NAME, name);
    }

    /// As whom the user acts.
    #[inline]
    pub(super) fn effective_user(&mut self, name: &'a [u8]) {
        self.named_user(key::USER_EFFECTIVE_NAME, name);
    }

    /// Whose account is changed.
    #[inline]
    pub(super) fn target_user(&mut self, name: &'a [u8]) {
        self.named_user(key::USER_TARGET_NAME, name);
    }

    #[inline]
    fn named_user(&mut self, key: KeyId, name: &'a [u8]) {
        if name.is_empty() {
            return;
        }
        self.sink.text_span(key, name);
        if !self.users[..self.user_count].contains(&name)
            && let Some(free) = self.users.get_mut(self.user_count)
        {
            *free = name;
            self.user_count += 1;
        }
    }

    /// From where: an IP address or the name of a host.
    #[inline]
    pub(super) fn source(&mut self, host: &'a [u8]) {
        if is_ip(host) {
            self.sink.text_span(key::SOURCE_IP, host);
            self.sink.text_span(key::RELATED_IP, host);
        } else {
            self.text(key::SOURCE_ADDRESS, host);
        }
    }

    /// Two addresses that a packet names.
    #[inline]
    pub(super) fn packet(&mut self, source: &'a [u8], destination: &'a [u8]) {
        self.text(key::SOURCE_IP, source);
        self.text(key::DESTINATION_IP, destination);
        let addresses = [source, destination];
        self.list(key::RELATED_IP, if source == destination { &addresses[..1] } else { &addresses });
    }

    /// One text, or a list of different ones.
    #[inline]
    fn list(&mut self, key: KeyId, texts: &[&'a [u8]]) {
        match texts {
            [] => {}
            [text] => self.sink.text_span(key, text),
            _ => self.sink.made_json(key, |push| write_list(texts, push)),
        }
    }
}

/// Writes a JSON list of texts.
fn write_list(texts: &[&[u8]], push: &mut dyn FnMut(&[u8])) {
    let mut opening: &[u8] = b"[\"";
    for text in texts {
        push(opening);
        Escape::new(text).for_each(&mut *push);
        opening = b"\",\"";
    }
    push(b"\"]");
}

/// Declares `parse` of a grammar's file: the whole line by its `message`, which gives the facts and returns the preset.
macro_rules! host_grammar {
    ($expected:literal) => {
        #[inline]
        pub(super) fn parse<S: $crate::Sink>(
            line: &[u8],
            _context: &$crate::Context,
            sink: &mut S,
        ) -> Result<(), $crate::Reject> {
            $crate::format::facts::take(line, sink, $expected, message::<(), S>, message::<_, S>)
        }
    };
}
pub(super) use host_grammar;

/// Runs a grammar over a line, and once more to explain why it stopped.
#[inline]
pub(super) fn take<'a, S: Sink>(
    line: &'a [u8],
    sink: &mut S,
    expected: &'static str,
    message: impl Fn(&'a [u8], &mut Facts<'_, 'a, S>) -> Parsed<'a, PresetId, ()>,
    explained: impl Fn(&'a [u8], &mut Facts<'_, 'a, S>) -> Parsed<'a, PresetId, Stopped<'a>>,
) -> Result<(), Reject> {
    let mut facts = Facts::new(sink);
    let Ok(([], preset)) = message(line, &mut facts) else {
        let explained = context(expected, |line| explained(line, &mut Facts::new(sink)));
        return Err(reject(line, (explained, context("the end of the line", eof)).parse(line)));
    };
    let Facts { users, user_count, .. } = facts;
    facts.list(key::RELATED_USER, &users[..user_count]);
    sink.text_span(key::MESSAGE, line);
    sink.preset(preset);
    Ok(())
}
