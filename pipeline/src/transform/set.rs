//! `set`: gives fields constant values.

use logweir_parsers::KeyId;

use crate::event::{Batch, ConstantValue, Value};

/// Sets the fields on the selected events. A text stands once in the side buffer, however many events share it.
pub(super) fn apply(fields: &[(KeyId, ConstantValue)], batch: &mut Batch, selected: &[u32]) {
    for (key, constant) in fields {
        let value = value_of(constant, batch);
        selected.iter().for_each(|&index| batch.set(index as usize, *key, value));
    }
}

fn value_of(constant: &ConstantValue, batch: &mut Batch) -> Value {
    match constant {
        ConstantValue::Text(text) => batch.make_text(text.as_bytes()),
        ConstantValue::List(_) => batch.make_json(&constant.to_json()),
        ConstantValue::Integer(number) => Value::Integer(*number),
        ConstantValue::Float(number) => Value::Float(*number),
        ConstantValue::Bool(truth) => Value::Bool(*truth),
    }
}
