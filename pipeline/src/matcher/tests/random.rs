//! Random conditions over random events: the index and the plain evaluation agree, and the plain evaluation of a
//! pattern agrees with the most obvious one.

use proptest::prelude::*;

use super::super::text::{Text, fold};
use super::*;
use crate::transform::{Bench, RenameFields, Step};

const FIELDS: [&str; 6] = ["f", "g", "service.name", "event.kind", "tags", ""];

/// Short texts of few letters, so that literals overlap, repeat and hit often.
fn text() -> impl Strategy<Value = String> {
    let letters = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "A", "ab", "ba", "-a", "/"]),
        2 => prop::sample::select(vec!["é", "É", "ς", "Σ", "\u{212a}", "İ", "ß", "😀"]),
        1 => prop::sample::select(vec!["\"", "\\", "\n", " ", "1", "10.0.0.", "%"]),
    ];
    let any = prop::collection::vec(letters, 0..6).prop_map(|letters| letters.concat());
    let special = vec![
        "7",
        "7.0",
        "-1",
        "10.0.0.7",
        "::ffff:10.0.0.7",
        "2001:db8::1",
        "shop",
        "SHOP",
        "hidden",
        "event",
        "true",
    ];
    prop_oneof![6 => any, 1 => prop::sample::select(special).prop_map(str::to_owned)]
}

fn pattern() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![3 => text(), 1 => prop::sample::select(vec!["*", "?", "\\*", "\\"]).prop_map(str::to_owned)],
        0..4,
    )
    .prop_map(|parts| parts.concat())
}

fn item() -> impl Strategy<Value = (String, Vec<Literal>)> {
    let names = prop::sample::select(FIELDS.to_vec());
    let texts = (
        prop::sample::select(vec![
            "",
            "|contains",
            "|startswith",
            "|endswith",
            "|cased",
            "|contains|cased",
            "|contains|all",
            "|neq",
            "|endswith|neq",
            "|windash|contains",
            "|base64offset|contains",
            "|startswith|cased|all",
        ]),
        prop::collection::vec(pattern().prop_map(Literal::Text), 1..4),
    );
    let expressions = (
        prop::sample::select(vec!["|re", "|re|i", "|re|s", "|re|i|neq"]),
        prop::sample::select(vec![
            "a+b", "^a", "(ab|é)b", ".", "k", "[ab]{2}$", "a.b", "^$", "s(h|x)op", "\\w-a",
        ])
        .prop_map(|source| vec![Literal::Text(source.to_owned())]),
    );
    let networks = (
        Just("|cidr"),
        prop::sample::select(vec!["10.0.0.0/8", "10.0.0.7", "0.0.0.0/0", "::/0", "2001:db8::/32"])
            .prop_map(|network| vec![Literal::Text(network.to_owned())]),
    );
    let numbers = (
        prop::sample::select(vec!["", "|gt", "|gte", "|lt", "|lte", "|neq"]),
        prop::collection::vec(
            prop_oneof![(-2..12_i64).prop_map(Literal::Integer), Just(Literal::Float(6.5))],
            1..3,
        ),
    );
    let others = prop_oneof![
        Just(("|exists", vec![Literal::Bool(true)])),
        Just(("|exists", vec![Literal::Bool(false)])),
        Just(("", vec![Literal::Null])),
        Just(("", vec![Literal::Null, Literal::Text("a*".to_owned())])),
        Just(("", vec![Literal::Bool(true)])),
        Just(("|fieldref", vec![Literal::Text("g".to_owned())])),
        Just(("|fieldref|contains|cased", vec![Literal::Text("f".to_owned())])),
    ];
    let rest = prop_oneof![5 => texts, 2 => expressions, 1 => networks, 1 => numbers, 1 => others];
    (names, rest).prop_map(|(name, (modifiers, values))| (format!("{name}{modifiers}"), values))
}

#[derive(Clone, Debug)]
enum Asked {
    Item(String, Vec<Literal>),
    All(Vec<Asked>),
    Any(Vec<Asked>),
    Not(Box<Asked>),
}

fn asked() -> impl Strategy<Value = Asked> {
    let item = item().prop_map(|(item, values)| Asked::Item(item, values));
    item.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Asked::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Asked::Any),
            inner.prop_map(|inner| Asked::Not(Box::new(inner))),
        ]
    })
}

/// The condition; an item that is refused, such as Base64 of a wildcard, is never true.
fn made(asked: &Asked, keys: &Arc<Keys>) -> Condition {
    let all = |members: &[Asked]| members.iter().map(|member| made(member, keys)).collect();
    match asked {
        Asked::Item(item, values) => {
            condition(keys, item, values).unwrap_or_else(|_| Condition::Any(Vec::new()))
        }
        Asked::All(members) => Condition::All(all(members)),
        Asked::Any(members) => Condition::Any(all(members)),
        Asked::Not(member) => Condition::Not(Box::new(made(member, keys))),
    }
}

/// A JSON value as a line has it.
fn value() -> impl Strategy<Value = String> {
    let quoted = text().prop_map(|text| serde_json::to_string(&text).unwrap());
    let escaped = text().prop_map(|text| {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        format!("\"{}\"", units.collect::<String>())
    });
    let scalar = prop_oneof![
        6 => quoted,
        1 => escaped,
        2 => prop::sample::select(vec!["7", "-1", "7.0", "6.5", "1e1", "true", "false", "null"]).prop_map(str::to_owned),
    ];
    let list =
        prop::collection::vec(scalar.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", ")));
    prop_oneof![5 => scalar, 1 => list, 1 => Just("{\"f\": [\"a\"]}".to_owned())]
}

fn line() -> impl Strategy<Value = String> {
    let fields = FIELDS[..3]
        .iter()
        .map(|name| prop::option::of(value().prop_map(move |value| format!("\"{name}\":{value}"))));
    fields
        .collect::<Vec<_>>()
        .prop_map(|fields| format!("{{{}}}", fields.into_iter().flatten().collect::<Vec<_>>().join(",")))
}

/// What a transform does to an event.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, String),
    Rename(usize, usize),
    Remove(usize),
    Number(usize, i64),
}

fn change() -> impl Strategy<Value = Change> {
    // The last one is the line, which nothing changes.
    let field = 0..FIELDS.len() - 1;
    prop_oneof![
        (field.clone(), text()).prop_map(|(field, text)| Change::Set(field, text)),
        (field.clone(), field.clone()).prop_map(|(from, to)| Change::Rename(from, to)),
        field.clone().prop_map(Change::Remove),
        (field, -1..9_i64).prop_map(|(field, number)| Change::Number(field, number)),
    ]
}

fn apply(batch: &mut Batch, keys: &Arc<Keys>, index: usize, change: &Change) {
    let key = |field: usize| keys.intern(FIELDS[field]).unwrap();
    match change {
        Change::Set(field, text) => {
            let made = batch.make_text(text.as_bytes());
            batch.set(index, key(*field), made);
        }
        Change::Rename(from, to) => {
            let mut bench = Bench::new(Arc::clone(keys));
            RenameFields(vec![(key(*from), key(*to))]).apply(batch, &mut vec![index as u32], &mut bench);
        }
        Change::Remove(field) => batch.remove(index, key(*field)),
        Change::Number(field, number) => batch.set(index, key(*field), crate::event::Value::Integer(*number)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    #[test]
    fn the_index_gives_the_answers_of_the_plain_evaluation(
        asked in prop::collection::vec(asked(), 1..12),
        events in prop::collection::vec((line(), prop::collection::vec(change(), 0..3)), 1..8),
    ) {
        let keys = Keys::new(100);
        let conditions = asked.iter().map(|asked| made(asked, &keys)).collect::<Vec<_>>();
        let lines = events.iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>();
        let mut batch = batch(&keys, &lines);
        for (index, (_, changes)) in events.iter().enumerate() {
            changes.iter().for_each(|change| apply(&mut batch, &keys, index, change));
        }
        assert_same(&conditions, &batch);
    }

    #[test]
    fn a_pattern_matches_as_its_definition_says(pattern in pattern(), text in text(), cased in any::<bool>()) {
        let pieces = pieces(&pattern);
        let compared = |character: char| if cased { character } else { fold(character) };
        let folded = text.chars().map(compared).collect::<Vec<_>>();
        let expected = fits(&pieces, &folded, &compared);
        let pattern = Pattern::new(pieces, cased);
        let escaped = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(pattern.is_match(Text::Plain(text.as_bytes())), expected);
        prop_assert_eq!(pattern.is_match(Text::json(&escaped.as_bytes()[1..escaped.len() - 1])), expected);
    }

    #[test]
    fn base64_offsets_find_a_value_wherever_it_begins(
        before in prop::collection::vec(any::<u8>(), 0..5),
        value in "[a-z é]{3,9}",
        after in prop::collection::vec(any::<u8>(), 0..5),
    ) {
        let keys = Keys::new(10);
        let condition = condition(&keys, "f|base64offset|contains", &[Literal::Text(value.clone())]).unwrap();
        let encoded = [&before[..], value.as_bytes(), &after].concat();
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, encoded);
        let line = format!("{{\"f\":\"{encoded}\"}}");
        prop_assert!(condition.is_true(&batch(&keys, &[&line]), 0));
    }
}

/// The definition, without a thought for time.
fn fits(pieces: &[Piece], text: &[char], compared: &dyn Fn(char) -> char) -> bool {
    match pieces {
        [] => text.is_empty(),
        [Piece::Any, rest @ ..] => (0..=text.len()).any(|taken| fits(rest, &text[taken..], compared)),
        [Piece::One, rest @ ..] => !text.is_empty() && fits(rest, &text[1..], compared),
        [Piece::Character(wanted), rest @ ..] => {
            text.first() == Some(&compared(*wanted)) && fits(rest, &text[1..], compared)
        }
    }
}
