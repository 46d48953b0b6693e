//! Values that are patterns of text, and the modifiers that change them, in their order.
//!
//! Owns: what `contains`, `startswith`, `endswith`, `expand`, `windash` and the encodings make of a value.
//! Promises: one value becomes at most [`VARIANTS_MAX`] patterns.
//! Never: looks at an event.

use super::super::modifier::Modifier;
use super::super::pattern::{PATTERN_CHARACTERS_MAX, Piece, literal, pieces};
use super::encoding::{base64, base64_offsets, encoded, windows_dashes};
use super::error::{ItemError, Problem};
use super::{Literal, Placeholders, Test, text_test};

/// Most patterns that one value stands for.
pub(super) const VARIANTS_MAX: usize = 1000;

/// Whether the modifier says where in the text the value stands.
pub(super) fn is_place(modifier: Modifier) -> bool {
    matches!(modifier, Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith)
}

/// Refuses modifiers of text that contradict each other.
pub(super) fn check_order(modifiers: &[Modifier]) -> Result<(), ItemError> {
    let places = [Modifier::Contains, Modifier::StartsWith, Modifier::EndsWith];
    let characters = [Modifier::Utf16, Modifier::Utf16LittleEndian, Modifier::Utf16BigEndian];
    let bases = [Modifier::Base64, Modifier::Base64Offset];
    for group in [&places[..], &characters, &bases] {
        let mut of_group = modifiers.iter().filter(|modifier| group.contains(modifier));
        if let (Some(first), Some(second)) = (of_group.next(), of_group.next()) {
            return Err(ItemError::Together(first.name(), second.name()));
        }
    }
    for (place, modifier) in modifiers.iter().enumerate() {
        let follows = |group: &[Modifier]| modifiers[place + 1..].iter().any(|later| group.contains(later));
        match modifier {
            Modifier::IgnoreCase | Modifier::MultiLine | Modifier::DotAll => {
                return Err(ItemError::NotFirst("re"));
            }
            modifier if characters.contains(modifier) && !follows(&bases) => {
                return Err(ItemError::Alone(modifier.name(), "`base64` or `base64offset`"));
            }
            Modifier::Base64Offset if !follows(&[Modifier::Contains]) => {
                return Err(ItemError::Alone(modifier.name(), "`contains`"));
            }
            modifier if places.contains(modifier) && follows(&bases) => {
                let base = modifiers[place + 1..].iter().find(|later| bases.contains(later));
                return Err(ItemError::Alone(
                    base.map_or("", |base| base.name()),
                    "the place, such as `contains`,",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The tests of a value that is a pattern.
pub(super) fn patterns(
    value: &Literal,
    modifiers: &[Modifier],
    placeholders: &Placeholders,
) -> Result<Vec<Test>, Problem> {
    let text = match value {
        Literal::Text(text) => text.clone(),
        Literal::Integer(number) => number.to_string(),
        Literal::Float(number) => zmij::Buffer::new().format(*number).to_owned(),
        Literal::Bool(truth) => truth.to_string(),
        Literal::Null => return Err("a text".into()),
    };
    let mut variants = vec![pieces(&text)];
    let mut characters = None;
    for &modifier in modifiers {
        variants = match modifier {
            Modifier::Contains => around(variants, true, true),
            Modifier::StartsWith => around(variants, false, true),
            Modifier::EndsWith => around(variants, true, false),
            Modifier::Expand => expand(&variants, placeholders)?,
            Modifier::WindowsDash => variants.iter().flat_map(|variant| windows_dashes(variant)).collect(),
            Modifier::Base64 | Modifier::Base64Offset => encode(&variants, modifier, characters)?,
            Modifier::Utf16 | Modifier::Utf16LittleEndian | Modifier::Utf16BigEndian => {
                characters = Some(modifier);
                variants
            }
            _ => variants,
        };
        if variants.len() > VARIANTS_MAX {
            return Err(Problem::new(
                "a simpler value",
                format!("this stands for more than {VARIANTS_MAX} patterns"),
            ));
        }
    }
    if variants.iter().any(|variant| variant.len() > PATTERN_CHARACTERS_MAX) {
        return Err(Problem::new(
            "a shorter value",
            format!("the limit is {PATTERN_CHARACTERS_MAX} characters"),
        ));
    }
    let cased = modifiers.contains(&Modifier::Cased);
    Ok(variants.into_iter().map(|variant| text_test(variant, cased)).collect())
}

/// The variants with `*` before or after, or both; one that is there already is not doubled.
fn around(mut variants: Vec<Vec<Piece>>, before: bool, after: bool) -> Vec<Vec<Piece>> {
    for variant in &mut variants {
        if before {
            variant.insert(0, Piece::Any);
        }
        if after {
            variant.push(Piece::Any);
        }
    }
    variants
}

/// The variants' texts as Base64.
fn encode(
    variants: &[Vec<Piece>],
    base: Modifier,
    characters: Option<Modifier>,
) -> Result<Vec<Vec<Piece>>, Problem> {
    let mut texts = Vec::new();
    for variant in variants {
        let text = variant.iter().map(|piece| match piece {
            Piece::Character(character) => Some(*character),
            Piece::One | Piece::Any => None,
        });
        let text = text.collect::<Option<String>>();
        let text = text.ok_or("a text without wildcards, which Base64 cannot hold")?;
        let bytes = encoded(&text, characters);
        match base {
            Modifier::Base64 => texts.push(base64(&bytes)),
            _ => texts.extend(base64_offsets(&bytes)),
        }
    }
    if texts.is_empty() {
        return Err("a text that is long enough for Base64".into());
    }
    Ok(texts.iter().map(|text| literal(text)).collect())
}

/// The variants with each `%name%` as each value of that placeholder.
fn expand(variants: &[Vec<Piece>], placeholders: &Placeholders) -> Result<Vec<Vec<Piece>>, Problem> {
    let mut done = Vec::new();
    for variant in variants {
        let mut beginnings = vec![Vec::new()];
        let mut rest = variant.as_slice();
        while let Some((start, end, name)) = placeholder(rest) {
            let values = placeholders.get(&name).ok_or_else(|| {
                Problem::new(
                    "a value whose placeholders are known",
                    format!("there is no placeholder `%{name}%`"),
                )
            })?;
            let values = values.iter().map(|value| literal(value)).collect::<Vec<_>>();
            let longer = beginnings.iter().flat_map(|beginning: &Vec<Piece>| {
                values.iter().map(|value| [beginning, &rest[..start], value].concat())
            });
            beginnings = longer.take(VARIANTS_MAX + 1).collect();
            rest = &rest[end..];
        }
        done.extend(beginnings.into_iter().map(|beginning| [&beginning, rest].concat()));
        if done.len() > VARIANTS_MAX {
            break;
        }
    }
    Ok(done)
}

/// The first `%name%`: its start, the place after its end, its name.
fn placeholder(pieces: &[Piece]) -> Option<(usize, usize, String)> {
    let percent = |piece: &Piece| *piece == Piece::Character('%');
    let start = pieces.iter().position(percent)?;
    let len = pieces[start + 1..].iter().position(percent)?;
    let name = pieces[start + 1..start + 1 + len].iter().map(|piece| match piece {
        Piece::Character(character) => *character,
        Piece::One => '?',
        Piece::Any => '*',
    });
    Some((start, start + len + 2, name.collect()))
}
