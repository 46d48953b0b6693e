//! `set`: gives fields values: constants, values of other fields, texts made of them.
//!
//! Owns: [`SetFields`].
//! Promises: a constant text stands once in a batch, however many events share it; a lone reference keeps its type; an
//! event that lacks a referenced field stays as it is; so does one whose field is to be its time and is none, and it is
//! marked.
//! Never: removes a field.

use logweir_parsers::KeyId;

use super::{Bench, Step, Template, read};
use crate::event::{Batch, ConstantValue, Value};

/// Gives these fields these values.
#[derive(Debug)]
pub struct SetFields(pub Vec<(KeyId, SetValue)>);

/// What a field is set to.
#[derive(Clone, Debug)]
pub enum SetValue {
    /// Always the same.
    Constant(ConstantValue),
    /// Made of other fields.
    Template(Template),
}

impl Step for SetFields {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        for (key, value) in &self.0 {
            match value {
                SetValue::Constant(constant) => {
                    let value = constant_value(constant, batch);
                    selected.iter().for_each(|&index| batch.set(index as usize, *key, value));
                }
                SetValue::Template(template) => {
                    for index in selected.iter().map(|&index| index as usize) {
                        let Some(value) = filled_in(template, batch, index, bench) else { continue };
                        bench.give(batch, index, template.reference().unwrap_or(*key), *key, value);
                    }
                }
            }
        }
    }
}

fn filled_in(template: &Template, batch: &mut Batch, index: usize, bench: &mut Bench) -> Option<Value> {
    if let Some(key) = template.reference() {
        return read::value(batch, index, key, &mut bench.room);
    }
    template.render(batch, index, &mut bench.room, &mut bench.made)?;
    Some(batch.make_text(&bench.made))
}

/// A constant as a value of this batch.
pub(super) fn constant_value(constant: &ConstantValue, batch: &mut Batch) -> Value {
    match constant {
        ConstantValue::Text(text) => batch.make_text(text.as_bytes()),
        ConstantValue::List(_) => batch.make_json(&constant.to_json()),
        ConstantValue::Integer(number) => Value::Integer(*number),
        ConstantValue::Float(number) => Value::Float(*number),
        ConstantValue::Bool(truth) => Value::Bool(*truth),
    }
}
