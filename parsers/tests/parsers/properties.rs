//! What holds for any bytes: no panic, spans inside the line, valid JSON where JSON is promised. The recorder checks
//! the last two.

use logweir_parsers::{Context, FORMATS, Format, Zone};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{
    cases::{READ_AT, valid_lines},
    recorder::{Recorded, parse},
};

fn any_format() -> impl Strategy<Value = Format> {
    proptest::sample::select(FORMATS)
}

fn any_context() -> impl Strategy<Value = Context> {
    let read_at = prop_oneof![Just(READ_AT), any::<i64>()];
    (read_at, prop_oneof![-50_400..50_400_i32, any::<i32>()])
        .prop_map(|(read_at, utc_offset)| Context::new(read_at, Zone::fixed(utc_offset)))
}

/// Bytes that mean something to one grammar or another.
fn lively_bytes() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"\"",
        b"\\",
        b"\\u",
        b"d83d",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"=",
        b" ",
        b"-",
        b"<34>",
        b"<34>1 ",
        b"0",
        b"9.5e3",
        b"true",
        b"null",
        b"\"a\"",
        b"\"host\"",
        b"\"message\":",
        b"time",
        b"1700000000",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\n",
        b"2023-11-14T22:13:20Z",
        b"Oct 11 22:14:15",
        b"[14/Nov/2023:15:13:20 -0700]",
        b"\"GET / HTTP/1.1\"",
        b"1.2.3.4 - - ",
    ];
    vec(proptest::sample::select(words), 0..24).prop_map(|words| words.concat())
}

fn any_byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), proptest::sample::select(&b"\"\\{}[]=:, -<>"[..])]
}

/// Any JSON, as serde_json writes it.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Into::into),
            vec((any::<String>(), inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_taken_or_rejected(
        format in any_format(),
        context in any_context(),
        line in prop_oneof![vec(any::<u8>(), 0..300), lively_bytes()],
        has_keys in any::<bool>(),
    ) {
        drop(parse(format, &line, &context, has_keys));
    }

    #[test]
    fn mutated_lines_are_taken_or_rejected(
        format in any_format(),
        context in any_context(),
        chosen in any::<Index>(),
        changes in vec((any::<Index>(), any_byte()), 0..4),
        end in any::<Index>(),
        is_cut in any::<bool>(),
    ) {
        let lines: Vec<_> = valid_lines(format).into_iter().filter(|line| line.len() < 2_000).collect();
        let mut line = chosen.get(&lines).clone();
        if is_cut {
            line.truncate(end.index(line.len() + 1));
        }
        for (at, byte) in changes {
            if !line.is_empty() {
                let at = at.index(line.len());
                line[at] = byte;
            }
        }
        drop(parse(format, &line, &context, true));
    }

    #[test]
    fn json_takes_what_serde_json_takes(members in vec((any::<String>(), any_json()), 0..8)) {
        let object: serde_json::Map<_, _> = members.into_iter().collect();
        let line = serde_json::to_vec(&object).unwrap();
        let context = Context::new(READ_AT, Zone::UTC);
        let recorder = parse(Format::Json, &line, &context, true).unwrap();
        for (name, value) in object.iter().filter(|(_, value)| value.is_string() || value.is_number()) {
            let expected = match value {
                serde_json::Value::String(text) => Recorded::Text(text.clone()),
                other => Recorded::Json(other.to_string()),
            };
            prop_assert_eq!(recorder.fields.get(name.as_str()), Some(&expected), "{}", name);
        }
    }

    #[test]
    fn json_rejects_what_serde_json_rejects(line in lively_bytes()) {
        let context = Context::new(READ_AT, Zone::UTC);
        if parse(Format::Json, &line, &context, true).is_ok() {
            let text = String::from_utf8_lossy(&line);
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{}", text);
        }
    }
}

#[test]
fn every_beginning_of_a_valid_line_is_taken_or_rejected() {
    let context = Context::new(READ_AT, Zone::UTC);
    for format in FORMATS {
        for line in valid_lines(*format).iter().filter(|line| line.len() < 2_000) {
            for end in 0..line.len() {
                drop(parse(*format, &line[..end], &context, true));
            }
        }
    }
}
