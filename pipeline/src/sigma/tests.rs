//! Sigma as data (`sigma/tests/*.toml`), sets of files, and texts that are no rules.

mod random;
mod references;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use logweir_parsers::Format;

use self::references::{FAILURE, LOGIN};
use super::*;
use crate::event::{Batch, ConstantSet, EventFlags, Span};
use crate::matcher::{Index, Matcher};
use crate::parse::Parser;
use crate::stream::{Position, SourceMeta};
use crate::testing;

/// Files of cases: rules with events, and texts with the reasons why they are refused.
const FILES: [&str; 3] = ["values.toml", "conditions.toml", "refused.toml"];

#[derive(serde::Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    /// The file. In place of a whole rule there may be only its detection.
    #[serde(default)]
    file: String,
    #[serde(default)]
    detection: String,
    #[serde(default)]
    matches: Vec<String>,
    #[serde(default)]
    differs: Vec<String>,
    #[serde(default)]
    refused: Vec<String>,
}

impl Case {
    fn text(&self) -> String {
        if self.detection.is_empty() {
            return self.file.clone();
        }
        let detection = self.detection.trim_end().replace('\n', "\n  ");
        format!("title: T\nlogsource: {{product: linux}}\ndetection:\n  {detection}\n")
    }
}

fn field_names(field: &str, log_source: &LogSource) -> Vec<String> {
    let names: &[&str] = match (field, log_source.category.as_deref()) {
        ("User" | "user", _) => &["user.name"],
        ("src_ip", _) => &["source.ip"],
        ("c-uri", _) => &["url.path", "url.original"],
        ("c-ip", Some("webserver")) => &["client.ip"],
        _ => &[],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn load(keys: &Arc<Keys>, files: &[(&str, &str)]) -> (RuleSet, Vec<Refused>) {
    let placeholders = [("admins".to_owned(), vec!["root".to_owned(), "toor".to_owned()])].into();
    let options = Options {
        file_bytes_max: FILE_BYTES_MAX,
        field_names: &field_names,
        keys,
        placeholders: &placeholders,
    };
    RuleSet::load(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())), &options)
}

fn load_one(text: &str) -> (RuleSet, Vec<String>) {
    let (set, refused) = load(&Keys::new(100), &[("t", text)]);
    (set, refused.iter().map(ToString::to_string).collect())
}

/// The events of these lines, parsed as JSON; those that are no JSON are lines without fields.
fn batch(keys: &Arc<Keys>, lines: &[&str]) -> Batch {
    let formats = vec![Format::by_name("json").unwrap().into()];
    let source = SourceMeta { formats, ..testing::source(ConstantSet::default()) };
    let stream = testing::stream(source, ConstantSet::default());
    let mut chunk = Vec::new();
    let mut events = Vec::new();
    for line in lines {
        let span = Span { start: chunk.len().try_into().unwrap(), len: line.len().try_into().unwrap() };
        events.push(Batch::line(span, span.start.into(), 0, EventFlags::default()));
        chunk.extend_from_slice(line.as_bytes());
        chunk.push(b'\n');
    }
    let ack = stream.begin(Position::default(), lines.len() as u64, chunk.len() as u64);
    let mut batch = Batch::new(Bytes::from(chunk), events, Arc::clone(&stream), 0, ack);
    Parser::new(Arc::clone(keys)).parse(&mut batch);
    batch
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sigma/tests");
    let cases = FILES.iter().flat_map(|name| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        toml::from_str::<Cases>(&text).unwrap_or_else(|error| panic!("{name}: {error}")).case
    });
    cases.collect()
}

#[test]
fn every_case_is_as_written() {
    let cases = cases();
    assert!(cases.len() > 120, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let keys = Keys::new(100);
        let (set, refused) = load(&keys, &[("t", &case.text())]);
        let refused = refused.iter().map(ToString::to_string).collect::<Vec<_>>();
        if refused != case.refused {
            wrong.push(format!("{}: {refused:#?}", case.title));
        }
        if !case.refused.is_empty() {
            continue;
        }
        assert!(!case.matches.is_empty() && !case.differs.is_empty(), "{}", case.title);
        let lines = case.matches.iter().chain(&case.differs).map(String::as_str).collect::<Vec<_>>();
        let batch = batch(&keys, &lines);
        let [rule] = set.rules.as_slice() else { continue };
        let mut matcher = Matcher::new(Arc::new(Index::new(std::slice::from_ref(&rule.condition)).unwrap()));
        for (index, line) in lines.iter().enumerate() {
            let expected = index < case.matches.len();
            let alone = rule.condition.is_true(&batch, index);
            let indexed = matcher.matches(&batch, index) == [0];
            if alone != expected || indexed != expected {
                wrong.push(format!("{}: {line}: {alone}, in the index {indexed}", case.title));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_document_says_what_an_alert_needs() {
    let text = "title: Title\nid: 7\nstatus: test\nlevel: HIGH\ndescription: |\n  Two\n  lines\nauthor: [A, B]\nlicense: MIT\n\
                references: https://example.org\ntags: [attack.t1110, attack.credential-access]\nfalsepositives: [None]\n\
                date: 2024-01-31\nmodified: 2024/02/01\ntaxonomy: own\ncustom: {any: thing}\n\
                logsource: {category: c, product: p, service: s, definition: d}\ndetection: {s: x, condition: s}\n";
    let (set, refused) = load_one(text);
    assert_eq!(refused, [""; 0]);
    let text = |text: &str| Some(text.to_owned());
    let expected = Metadata {
        title: "Title".to_owned(),
        id: text("7"),
        name: None,
        status: Some(Status::Test),
        level: Some(Level::High),
        description: text("Two\nlines\n"),
        author: text("A, B"),
        license: text("MIT"),
        references: vec!["https://example.org".to_owned()],
        tags: vec!["attack.t1110".to_owned(), "attack.credential-access".to_owned()],
        falsepositives: vec!["None".to_owned()],
        date: text("2024-01-31"),
        modified: text("2024/02/01"),
        taxonomy: text("own"),
    };
    assert_eq!(set.rules[0].metadata, expected);
    let source = LogSource { category: text("c"), product: text("p"), service: text("s") };
    assert_eq!(set.rules[0].log_source, source);
}

#[test]
fn texts_without_measure_are_refused_at_once() {
    let rule = |detection: &str| format!("title: T\nlogsource: {{product: x}}\ndetection:\n{detection}\n");
    let list = |count: usize| rule(&format!("  s:\n    f:\n{}  condition: s", "      - a\n".repeat(count)));
    let many = format!("  s: [{}1]\n  condition: {}s", "a, ".repeat(5000), "s or ".repeat(100));
    let bomb = (1..10).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, number| {
        let item = format!("*a{}", number - 1);
        text + &format!("a{number}: &a{number} [{}]\n", [item.as_str(); 10].join(", "))
    });
    let dashes =
        rule(&format!("  s:\n    f|windash:\n{}  condition: s", "      - ' -a -b -c -d'\n".repeat(9_000)));
    for (text, expected) in [
        ("a".repeat(10 * 1024 * 1024), "t: the file has 10485760 bytes; the limit is 1048576"),
        (list(10_001), "t:10006: \"T\": more than 10000 values in one rule"),
        (rule(&many), "t:5: \"T\": the rule comes to more than 100000 comparisons"),
        (dashes, "t:6: \"T\": the rule comes to more than 100000 comparisons"),
        (
            rule(&format!("  s: x\n  condition: {}s{}", "(".repeat(65), ")".repeat(65))),
            "t:5: \"T\": more than 64 levels of parentheses and `not` in the condition",
        ),
        (
            rule(&format!("  s: x\n  condition: {}s", "not ".repeat(100_000))),
            "t:5: \"T\": more than 64 levels of parentheses and `not` in the condition",
        ),
    ] {
        let began = Instant::now();
        let (set, refused) = load_one(&text);
        assert_eq!((refused.as_slice(), set.rules.len()), (&[expected.to_owned()][..], 0));
        assert!(began.elapsed() < Duration::from_secs(2), "{expected}: {:?}", began.elapsed());
    }
    for text in
        [bomb, "[".repeat(500_000), "- ".repeat(500_000), "{a: ".repeat(200_000), "a: &a [*a]".to_owned()]
    {
        let began = Instant::now();
        let (set, refused) = load_one(&text);
        assert!(refused.len() == 1 && refused[0].contains("YAML: ") && set.rules.is_empty(), "{refused:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{refused:?}: {:?}", began.elapsed());
    }
    let (set, refused) = load_one(&list(10_000));
    assert_eq!((set.rules.len(), refused.len()), (1, 0));
    let deepest = format!("  s: x\n  condition: {}s{}", "(".repeat(64), ")".repeat(64));
    assert_eq!(load_one(&rule(&deepest)).1, [""; 0]);
    let (_, refused) = load_one(&"--- a\n".repeat(2000));
    assert_eq!(refused.len(), DOCUMENTS_MAX + 1);
}

#[test]
fn a_broken_document_leaves_the_others() {
    let text = format!("{LOGIN}title: T\ntitle: U\n---\n- list\n---\n{FAILURE}title: 'open\n");
    let (set, refused) = load_one(&text);
    assert_eq!(
        set.rules.iter().map(|rule| rule.metadata.title.as_str()).collect::<Vec<_>>(),
        ["Login", "Failure"]
    );
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert_eq!(refused[1], "t:10: `document` must be a mapping");
}

#[test]
fn fields_without_a_number_are_refused() {
    let text = "title: T\nlogsource: {product: x}\ndetection: {s: {fieldless: 1}, condition: s}";
    let (set, refused) = load(&Keys::new(0), &[("t", text)]);
    assert!(
        set.rules.is_empty() && matches!(&refused[0].error, SigmaError::Field(name) if name == "fieldless")
    );
}
