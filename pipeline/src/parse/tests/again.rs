//! Documents that logweir wrote, read again as JSON: from an edge through a bus into a hub.

use super::*;

/// The documents of lines, and the same read again by another source.
fn twice(format: Format, by_program: Option<Grammars>, lines: &[&str]) -> [Vec<Map<String, Json>>; 2] {
    let fields = || {
        let mut fields = ConstantSet::default();
        fields.add(logweir_parsers::key::HOST_NAME, "host.name", ConstantValue::Text("edge-1".to_owned()));
        fields
    };
    let mut source = testing::source(fields());
    source.constants = Constants::new(fields(), None, "prod").of_formats(&[format.into()]);
    (source.formats, source.parse_message) = (vec![format.into()], by_program);
    let first = parse_as(source, Keys::new(100), lines).documents;
    let texts = first.iter().map(|document| serde_json::to_string(document).unwrap()).collect::<Vec<_>>();
    let texts = texts.iter().map(String::as_str).collect::<Vec<_>>();
    let second = parse(Format::Json, None, ConstantSet::default(), &texts);
    assert_eq!(second.unparsed, 0);
    [first, second.documents]
}

#[test]
fn a_document_comes_out_as_it_went_in() {
    let nginx =
        r#"192.0.2.7 - bob [14/Nov/2023:22:13:20 +0000] "GET /a?b=c HTTP/1.1" 404 7 "-" "curl/8 \x22""#;
    let json = [
        r#"{"time":"2023-11-14T22:13:20.123456789Z","level":"warn","msg":"a \"b\" \u00e9","host":"app","n":1.50,"big":18446744073709551616}"#,
        r#"{"@timestamp":"2023-11-14T22:13:20Z","time":"soon","msg":"one","message":"two","host":{"name":"h","ip":["::1"]}}"#,
        r#"{"@timestamp":"yesterday","level":{"a":1},"severity":7,"lvl":"x","error":"e","log":"l","user":[1],"labels":{"a":"b"},"x":null}"#,
        r#"{"ts":1700000000.5,"trace_id":"t","span_id":"s","logger":"l","data_stream":{"dataset":"shop","namespace":"n"},"deep":{"a":{"b":[{"c":1}]}}}"#,
        "[]",
        "{",
    ];
    let syslog = [
        "<34>1 2023-11-14T22:13:20.5+01:00 web1 su 77 ID47 [a@1 k=\"v\"] 'su root' failed",
        "<38>Nov 14 22:13:20 web1 sshd[4711]: Failed password for invalid user admin from 192.0.2.7 port 51234 ssh2",
        "no syslog at all",
    ];
    for (format, grammars, lines) in [
        (Format::NginxAccess, None, &[nginx, "garbage"][..]),
        (Format::Json, None, &json[..]),
        (Format::Syslog, Some(Grammars::ByProgram), &syslog[..]),
        (Format::Raw, None, &["", "plain \u{1} text"][..]),
    ] {
        let [first, second] = twice(format, grammars, lines);
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(first, second);
        }
    }
}
