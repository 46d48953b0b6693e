//! What the answer to a `_bulk` request means (Elasticsearch reference, "Bulk index or delete documents").
//!
//! Owns: [`judge`], from status and body to a verdict, and [`Detail`], how much of an answer was asked for.
//! Promises: statuses decide, error types are only labels, so Elasticsearch and OpenSearch read alike; an answer
//! that is cut, or has another number of items than the request, delivers nothing.
//! Never: allocates for items that are delivered.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::verdict::{Cause, Mixed, Refusal, Trouble, Verdict};

/// Longest part of an answer that is quoted.
const QUOTE_MAX: usize = 300;

/// How much of an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Whether there are errors at all, and which items are in the failure store. A few bytes when all is well.
    Errors,
    /// The status of every item.
    Items,
}

impl Detail {
    /// The `filter_path` that asks for it.
    pub(super) fn filter_path(self) -> &'static str {
        match self {
            Self::Errors => "errors,items.*.failure_store",
            Self::Items => {
                "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store"
            }
        }
    }
}

/// An answer of the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: &'a [u8],
}

/// Whether the answer says that there are errors but was not asked which.
pub(super) fn needs_detail(answer: &Answer<'_>, detail: Detail) -> bool {
    detail == Detail::Errors && answer.status / 100 == 2 && !is_free_of_errors(answer.body)
}

/// What the answer to a request with `items` items means.
pub(super) fn judge(answer: &Answer<'_>, detail: Detail, items: usize) -> Verdict {
    let whole = |cause| {
        let reason = quoted(answer) + remedy(answer.status);
        Verdict::Retry(Trouble { cause, reason, after: answer.retry_after })
    };
    match answer.status {
        200..=299 if detail == Detail::Errors => {
            Verdict::Delivered { soft_failures: count_failure_store(answer.body) }
        }
        200..=299 => judge_items(answer, items),
        401 | 403 => whole(Cause::Unauthorized),
        429 | 502..=504 => whole(Cause::Overload),
        400 | 406 | 413 => {
            let label = format!("status {}", answer.status);
            Verdict::Refused(Refusal { status: answer.status, label, reason: quoted(answer) })
        }
        _ => whole(Cause::Unexpected),
    }
}

fn quoted(answer: &Answer<'_>) -> String {
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(QUOTE_MAX)]);
    format!("the store answered with status {}: {}", answer.status, body.trim())
}

/// What someone has to do before the store lets us in; nothing for other statuses.
fn remedy(status: u16) -> &'static str {
    match status {
        401 => "; check `username` and `password`, `api_key` or `bearer_token` of the output, then restart",
        403 => "; give the user of the output the privileges `auto_configure` and `create_doc` there",
        _ => "",
    }
}

/// Whether a whole answer says so.
fn is_free_of_errors(body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(b"}") && memchr::memmem::find(body, b"\"errors\":false").is_some()
}

fn count_failure_store(body: &[u8]) -> u64 {
    memchr::memmem::find_iter(body, b"\"failure_store\":\"used\"").count() as u64
}

fn judge_items(answer: &Answer<'_>, items: usize) -> Verdict {
    let mut deserializer = serde_json::Deserializer::from_slice(answer.body);
    let parsed = AnswerReader.deserialize(&mut deserializer).and_then(|tally| {
        deserializer.end()?;
        Ok(tally)
    });
    let unexpected = |reason| Verdict::Retry(Trouble::new(Cause::Unexpected, reason));
    let mut tally = match parsed {
        Ok(tally) => tally,
        Err(error) => return unexpected(format!("the store's answer cannot be read: {error}")),
    };
    if tally.items as usize != items {
        return unexpected(format!("the store answered for {} of {items} events", tally.items));
    }
    if let Some((_, trouble)) = &mut tally.mixed.retry {
        trouble.after = answer.retry_after;
    }
    match tally.mixed {
        Mixed { retry: None, rejected, soft_failures } if rejected.is_empty() => {
            Verdict::Delivered { soft_failures }
        }
        mixed => Verdict::Mixed(mixed),
    }
}

/// What the items read so far say.
#[derive(Debug, Default)]
struct Tally {
    items: u32,
    mixed: Mixed,
}

/// One item's answer.
#[derive(Deserialize)]
struct ItemAnswer<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<ItemError<'a>>,
    #[serde(borrow)]
    failure_store: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ItemError<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

impl Tally {
    fn add(&mut self, answer: &ItemAnswer<'_>) {
        let item = self.items;
        self.items += 1;
        match answer.status {
            200..=299 => {
                let used = answer.failure_store.as_deref() == Some("used");
                self.mixed.soft_failures += u64::from(used);
            }
            // Created before: an answer that was lost.
            409 => {}
            401 | 403 => self.retry(item, Cause::Unauthorized, answer),
            429 | 502..=504 => self.retry(item, Cause::Overload, answer),
            500.. => self.retry(item, Cause::Unexpected, answer),
            status => {
                let (label, reason) = (answer.label(), answer.reason());
                self.mixed.rejected.push((item, Refusal { status, label, reason }));
            }
        }
    }

    fn retry(&mut self, item: u32, cause: Cause, answer: &ItemAnswer<'_>) {
        let (items, _) = self.mixed.retry.get_or_insert_with(|| {
            let (status, said, remedy) = (answer.status, answer.reason(), remedy(answer.status));
            let reason = format!("the store answered for an event with status {status}: {said}{remedy}");
            (Vec::new(), Trouble::new(cause, reason))
        });
        items.push(item);
    }
}

impl ItemAnswer<'_> {
    fn label(&self) -> String {
        self.error.as_ref().and_then(|error| error.kind.as_deref()).unwrap_or("no type").to_owned()
    }

    fn reason(&self) -> String {
        let reason = self.error.as_ref().and_then(|error| error.reason.as_deref());
        format!("{}: {}", self.label(), reason.unwrap_or("no reason"))
    }
}

/// Reads `{"errors":…,"items":[{"create":{…}},…]}`.
struct AnswerReader;

impl<'de> DeserializeSeed<'de> for AnswerReader {
    type Value = Tally;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tally, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerReader {
    type Value = Tally;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the answer to a bulk request")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tally, A::Error> {
        let mut tally = Tally::default();
        while let Some(name) = members.next_key::<Cow<'_, str>>()? {
            if name == "items" {
                members.next_value_seed(ItemsReader(&mut tally))?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(tally)
    }
}

/// Reads the items into a tally.
struct ItemsReader<'a>(&'a mut Tally);

impl<'de> DeserializeSeed<'de> for ItemsReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ItemsReader<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Action(answer)) = items.next_element()? {
            self.0.add(&answer);
        }
        Ok(())
    }
}

/// `{"create":{…}}`
struct Action<'a>(ItemAnswer<'a>);

impl<'de> Deserialize<'de> for Action<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneMember;

        impl<'de> Visitor<'de> for OneMember {
            type Value = Action<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an item with one action")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Action<'de>, A::Error> {
                let Some((IgnoredAny, answer)) = members.next_entry()? else {
                    return Err(serde::de::Error::custom("an item without an action"));
                };
                Ok(Action(answer))
            }
        }
        deserializer.deserialize_map(OneMember)
    }
}

#[cfg(test)]
mod tests;
