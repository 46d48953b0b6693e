//! What `%name%` stands for in rules of Sigma.
//!
//! Owns: the value of the key `placeholders`: lists, in the config or in files.
//! Promises: a file has one value a line; empty lines are none.
//! Never: knows where a placeholder stands.

use std::io;
use std::path::Path;

use logweir_pipeline::matcher::Placeholders;
use toml::de::DeValue;

use super::super::decode::{Decoder, Given};
use super::super::error::{Diagnostic, Place};
use super::super::value::tables::{Named, named};
use super::super::value::{At, Description, Value};
use super::sigma::read_text;

/// Names, and the values of each.
pub(super) struct PlaceholderLists(Named<Listed>);

/// The values of a placeholder.
enum Listed {
    Values(Vec<String>),
    /// One a line of this file.
    File(String),
}

impl Value for PlaceholderLists {
    fn describe() -> Description {
        Description::new(
            "table of lists",
            "a table of lists, each in place or in a file with one value a line, such as \
             { admins = [\"root\", \"toor\"], scanners = \"scanners.txt\" }",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        named(given, decoder, listed).map(Self)
    }
}

fn listed(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Listed> {
    let DeValue::Array(items) = given.value else {
        return decoder.text(given).map(Listed::File);
    };
    let items = items.iter().map(|item| {
        let place = Place::new(given.place.file, item.span());
        decoder.text(given.inner(item.get_ref(), place))
    });
    items.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Listed::Values)
}

impl PlaceholderLists {
    /// The lists; what is wrong with a file goes to the decoder.
    pub(super) fn read(self, decoder: &mut Decoder<'_>) -> Option<Placeholders> {
        let mut placeholders = Placeholders::new();
        for At { value: (name, listed), place } in self.0 {
            let values = match listed {
                Listed::Values(values) => values,
                Listed::File(path) => {
                    let path = decoder.resolve(place, &path);
                    lines(&path).map_or_else(
                        |error| {
                            let what = format!("cannot read `{}`: {error}", path.display());
                            let expected = "expected a file with one value a line, that this user may read";
                            decoder.report(Diagnostic::error(what).at(place, expected));
                            None
                        },
                        Some,
                    )?
                }
            };
            placeholders.insert(name, values);
        }
        Some(placeholders)
    }
}

fn lines(path: &Path) -> io::Result<Vec<String>> {
    let text = read_text(path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
