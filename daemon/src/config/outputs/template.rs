//! Texts with references to fields, as keys of outputs.
//!
//! Owns: [`template`].
//! Promises: what is no template is told at its place, without the value of a variable.
//! Never: fills one in.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::transform::Template;

use super::super::decode::Decoder;
use super::super::error::{Diagnostic, Place};

/// The template of a text, which the message calls `name`. The value of a variable may be a secret.
pub(super) fn template(
    name: &str,
    text: &str,
    has_variable: bool,
    place: Place,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Template> {
    // What other templates have behind a name is not known here: no field is called so.
    let is_name = |name: &str| !name.is_empty() && !name.contains(['|', ' ', '"']);
    let intern = |name: &str| if is_name(name) { keys.intern(name) } else { None };
    match Template::new(text, intern) {
        Ok(template) => Some(template),
        Err(error) => {
            let said = match has_variable {
                true => "with its variable, its braces are not in pairs".to_owned(),
                false => error.to_string(),
            };
            decoder.report(
                Diagnostic::error(format!("{name} is no template"))
                    .at(place, said)
                    .help("`{source.ip}` stands for a field; write `{{` and `}}` for braces themselves"),
            );
            None
        }
    }
}
