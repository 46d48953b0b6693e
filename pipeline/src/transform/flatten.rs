//! `flatten`: the members of an object become fields with dotted names.
//!
//! Owns: [`FlattenFields`].
//! Promises: `{"a":{"b":1}}` in the field `x` becomes `x.a.b`; a list stays a list; a null gives no field; an object of
//! more members than there is room for names stays whole, and the event is marked.
//! Never: copies a value.

use logweir_parsers::KeyId;

use super::members::Members;
use super::{Bench, Step, read};
use crate::event::{Batch, Field, Span, Value};

/// How deep names go; what lies deeper stays JSON.
const DEPTH_MAX: u32 = 8;

/// Flattens the objects in these fields.
#[derive(Debug)]
pub struct FlattenFields(pub Vec<KeyId>);

impl Step for FlattenFields {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        for &key in &self.0 {
            for index in selected.iter().map(|&index| index as usize) {
                let Some(value) = batch.get(index, key) else { continue };
                let (span, is_made) = match value {
                    Value::Json(span) => (span, false),
                    Value::MadeJson(span) => (span, true),
                    _ => continue,
                };
                if !batch.text(value).is_some_and(|json| json.starts_with(b"{")) {
                    continue;
                }
                bench.fields.clear();
                bench.refresh_for(key);
                bench.made.clear();
                bench.made.extend_from_slice(bench.keys.name(key));
                if flatten(if is_made { &batch.side } else { &batch.chunk }, span, is_made, 1, bench)
                    .is_none()
                {
                    bench.fail(batch, index, key, "has more members than there is room for names");
                    continue;
                }
                batch.remove(index, key);
                bench.fields.iter().for_each(|field| batch.set(index, field.key(), field.value()));
            }
        }
    }
}

/// Puts the members of the object in this span of the text on the bench; `bench.made` is the name of the object.
pub(super) fn flatten(text: &[u8], object: Span, is_made: bool, depth: u32, bench: &mut Bench) -> Option<()> {
    let prefix = bench.made.len();
    let json = object.of(text);
    for (name, value) in Members::of(json) {
        let start = object.start + u32::try_from(value.start).ok()?;
        let span = Span { start, len: u32::try_from(value.len()).ok()? };
        bench.made.truncate(prefix);
        bench.made.push(b'.');
        bench.made.extend_from_slice(read::unescaped(&json[name], &mut bench.room));
        match json[value] {
            [b'n', ..] => {}
            [b'{', ..] if depth < DEPTH_MAX => flatten(text, span, is_made, depth + 1, bench)?,
            [b'"', ..] if !is_made => {
                let inside = Span { start: span.start + 1, len: span.len.saturating_sub(2) };
                put(Value::JsonText(inside), bench)?;
            }
            _ => put(if is_made { Value::MadeJson(span) } else { Value::Json(span) }, bench)?,
        }
    }
    bench.made.truncate(prefix);
    Some(())
}

fn put(value: Value, bench: &mut Bench) -> Option<()> {
    let key = bench.keys.intern(&bench.made)?;
    bench.fields.push(Field::new(key, value));
    Some(())
}
