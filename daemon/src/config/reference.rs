//! The config reference, from the tables that decoding uses.
//!
//! Owns: the text of `logweir config-reference`.
//! Promises: every section, key, step, modifier and format, each with type, default, unit and meaning; it cannot rot.
//! Never: knows a key by name.

use std::fmt::Write;

use logweir_parsers::FORMATS;
use logweir_pipeline::matcher::MODIFIERS;

use super::schema::{Absent, Key, SectionKind, sections};

/// What the keys of a condition do not tell.
const CONDITIONS: &str = r#"## Conditions

What `drop`, `when` and the ports of routes ask of an event.

- `{ "http.response.status_code" = [502, 503], "url.path|startswith" = "/api/" }`: each field must have one of its values.
- `[{ … }, { … }]`: one of the tables must hold; also as `any_of`. `all_of` is a list all of which must hold, `not` a condition that must not.
- `["segfault", "out of mem*"]`: one of the texts must stand in the line as it was read, whatever was done to its fields; `"|all" = ["error", "disk"]` wants all of them, `"|re" = 'x\d+'` an expression. Where there is a list of conditions, texts and tables may stand side by side.
- In texts `*` stands for anything and `?` for one character; `\*` and `\?` are meant as they are. Upper and lower case are one, unless `cased` says otherwise. A field that is absent has no value.

The modifiers, which follow the name of the field and may follow each other: `"field|contains|all"`.

"#;

/// The whole reference, or that of one section (`outputs.file`, `admin`, `conditions`, `formats`), as Markdown. `None` when there
/// is no such section.
pub(crate) fn reference(wanted: Option<&str>) -> Option<String> {
    let mut text = String::new();
    for section in sections() {
        let name = section.reference();
        if wanted.is_none_or(|wanted| wanted == name || name.starts_with(&format!("{wanted}."))) {
            append_section(section, &mut text);
        }
    }
    if wanted.is_none_or(|wanted| wanted == "conditions") {
        append_conditions(&mut text);
    }
    if wanted.is_none_or(|wanted| wanted == "formats") {
        append_formats(&mut text);
    }
    (!text.is_empty()).then_some(text)
}

/// The names that [`reference`] knows.
pub(crate) fn names() -> Vec<String> {
    sections().map(SectionKind::reference).chain(["conditions".to_owned()]).collect()
}

fn append_section(section: &SectionKind, text: &mut String) {
    let title = match (section.header, section.component) {
        ("", _) => "Global".to_owned(),
        (header, Some(component)) => format!("[{header}] type = \"{component}\""),
        (header, None) => format!("[{header}]"),
    };
    append(text, format_args!("## {title}\n\n{}\n\n", section.summary));
    for key in section.all_keys() {
        append_key(key, "", text);
    }
    text.push('\n');
}

fn append_key(key: &Key, indent: &str, text: &mut String) {
    let absent = match key.absent {
        Absent::Error => "required".to_owned(),
        Absent::None => "optional".to_owned(),
        Absent::Default(default) => format!("default `{default}`"),
    };
    let kind = (key.describe)().name;
    append(text, format_args!("{indent}- `{}` ({kind}; {absent}): {}\n", key.name, key.summary));
    for key in key.keys {
        append_key(key, &format!("{indent}  "), text);
    }
}

fn append_conditions(text: &mut String) {
    text.push_str(CONDITIONS);
    for (name, modifier) in MODIFIERS {
        append(text, format_args!("- `{name}`: {}\n", modifier.summary()));
    }
    text.push('\n');
}

fn append_formats(text: &mut String) {
    text.push_str("## Formats\n\nThe names that `parse` of a source and `logweir parse` take, besides those of `[formats.NAME]`.\n\n");
    for format in FORMATS {
        append(
            text,
            format_args!("- `{}` (dataset `{}`):{}\n", format.name(), format.dataset(), format.summary()),
        );
    }
    text.push('\n');
}

/// Writing to a `String` has no errors.
fn append(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    if text.write_fmt(arguments).is_err() {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_format_is_in_the_reference() {
        let text = reference(None).unwrap();
        for key in sections().flat_map(SectionKind::all_keys) {
            assert!(text.contains(&format!("- `{}` (", key.name)), "{}", key.name);
        }
        for (name, _) in MODIFIERS {
            assert!(text.contains(&format!("\n- `{name}`: ")), "{name}");
        }
        for format in FORMATS {
            assert!(text.contains(&format!("- `{}` (dataset", format.name())));
        }
    }

    #[test]
    fn a_section_is_found_by_each_of_its_names() {
        for name in names() {
            assert!(reference(Some(&name)).is_some(), "{name}");
        }
        assert!(reference(Some("outputs")).unwrap().matches("## [outputs.NAME]").count() > 1);
        assert_eq!(reference(Some("nonsense")), None);
    }
}
