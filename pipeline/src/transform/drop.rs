//! `drop`: takes events out of the stream by the values of their fields.

use logweir_parsers::KeyId;

use crate::event::{Batch, ConstantValue, Value};

/// Whether all of the fields have these values.
pub(super) fn matches(fields: &[(KeyId, ConstantValue)], batch: &Batch, index: usize) -> bool {
    fields.iter().all(|(key, wanted)| match batch.get(index, *key) {
        Some(value) => is_equal(batch, value, wanted),
        None => batch.constant(index, *key) == Some(wanted),
    })
}

fn is_equal(batch: &Batch, value: Value, wanted: &ConstantValue) -> bool {
    match (value, wanted) {
        (Value::Text(_) | Value::MadeText(_), ConstantValue::Text(wanted)) => {
            batch.text(value) == Some(wanted.as_bytes())
        }
        (Value::Integer(number), ConstantValue::Integer(wanted)) => number == *wanted,
        (Value::Bool(truth), ConstantValue::Bool(wanted)) => truth == *wanted,
        (Value::Float(number), ConstantValue::Float(wanted)) => number.total_cmp(wanted).is_eq(),
        (Value::JsonText(_), ConstantValue::Text(wanted)) => {
            let quoted = ConstantValue::Text(wanted.clone()).to_json();
            batch.text(value) == quoted.get(1..quoted.len() - 1)
        }
        (Value::Json(_) | Value::MadeJson(_), _) => batch.text(value) == Some(&wanted.to_json()),
        _ => false,
    }
}
