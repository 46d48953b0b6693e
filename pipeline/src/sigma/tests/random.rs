//! Texts that nobody would write: no panic, no waiting, and what loads has an answer.

use proptest::prelude::*;

use super::*;

/// Pieces of which rules consist, put together without sense.
const PIECES: &[&str] = &[
    "title: T\n",
    "title: [",
    "id: a\n",
    "name: b\n",
    "logsource:\n",
    "  product: linux\n",
    "detection:\n",
    "  sel:\n",
    "    f: 1\n",
    "    f|contains|all:\n",
    "      - 'a*'\n",
    "      - null\n",
    "    f|re: '('\n",
    "  condition: ",
    "sel",
    " and ",
    " or ",
    " not ",
    "1 of ",
    "them",
    "sel*",
    "(",
    ")",
    " | count() > 5",
    "\n",
    "---\n",
    "correlation:\n",
    "  type: temporal\n",
    "  rules: [a, b]\n",
    "  timespan: 5m\n",
    "filter:\n",
    "  rules: any\n",
    "&x ",
    "*x",
    "<<: *x\n",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\t",
    "\"",
    "'",
    "\\",
    "!!int ",
    "? ",
    "> \n",
    "\u{0}",
    "é",
];

fn rule(condition: &str) -> String {
    let condition = condition.replace('\'', "''");
    format!(
        "title: T\nlogsource: {{product: x}}\ndetection:\n  sel: {{f: 1}}\n  _own: a\n  condition: '{condition}'\n"
    )
}

fn answers(text: &str) {
    let keys = Keys::new(100);
    let (set, refused) = load(&keys, &[("t", text)]);
    let batch = batch(&keys, &[r#"{"f":1}"#, "a"]);
    for rule in &set.rules {
        let alone = (0..2).map(|index| rule.condition.is_true(&batch, index)).collect::<Vec<_>>();
        let mut matcher = Matcher::new(Arc::new(Index::new(std::slice::from_ref(&rule.condition)).unwrap()));
        let indexed = (0..2).map(|index| matcher.matches(&batch, index) == [0]).collect::<Vec<_>>();
        assert_eq!(alone, indexed, "{text}");
    }
    for refused in refused {
        assert!(!refused.to_string().contains('\n'), "{refused}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_in_any_order_are_loaded_or_refused(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        answers(&pieces.concat());
    }

    #[test]
    fn any_text_is_loaded_or_refused(text in "\\PC{0,200}") {
        answers(&text);
        answers(&rule(&text));
    }

    #[test]
    fn any_condition_is_loaded_or_refused(
        words in prop::collection::vec(prop::sample::select(&["sel", "_own", "and", "or", "not", "(", ")", "1", "all", "of", "them", "_*"][..]), 0..20)
    ) {
        answers(&rule(&words.join(" ")));
    }
}
