//! Lines of 64 KiB and 10 MB that are made to be slow. A grammar that is not linear in their length would take
//! hours here, so the tests need no clock.

use logweir_parsers::{Context, FORMATS, Format, KeyId, PresetId, Sink, Zone};

use crate::cases::READ_AT;

/// A sink that looks at everything once and keeps nothing.
#[derive(Default)]
struct Counter {
    bytes: usize,
}

impl Sink for Counter {
    fn key(&mut self, name: &[u8]) -> Option<KeyId> {
        self.bytes += name.len();
        name.first().is_some_and(|first| first % 2 == 0).then_some(KeyId(1_000))
    }

    fn text_span(&mut self, _: KeyId, text: &[u8]) {
        self.bytes += text.len();
    }

    fn json_text_span(&mut self, _: KeyId, text: &[u8]) {
        self.bytes += text.len();
    }

    fn json_span(&mut self, _: KeyId, json: &[u8]) {
        self.bytes += json.len();
    }

    fn member(&mut self, json: &[u8]) {
        self.bytes += json.len();
    }

    fn made_member(&mut self, name: &[u8], value: &[u8]) {
        self.bytes += name.len() + value.len();
    }

    fn made_text<'p>(&mut self, _: KeyId, pieces: impl Iterator<Item = &'p [u8]>) {
        self.bytes += pieces.map(<[u8]>::len).sum::<usize>();
    }

    fn made_json(&mut self, _: KeyId, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        write(&mut |piece| self.bytes += piece.len());
    }

    fn integer(&mut self, _: KeyId, _: i64) {}

    fn float(&mut self, _: KeyId, _: f64) {}

    fn boolean(&mut self, _: KeyId, _: bool) {}

    fn timestamp(&mut self, _: i64) {}

    fn preset(&mut self, _: PresetId) {}
}

/// What a line begins with, so that the grammar reaches the part that repeats.
fn beginnings(format: Format) -> &'static [&'static str] {
    match format {
        Format::Raw => &[""],
        Format::NginxAccess | Format::ApacheAccess => &[
            "",
            "host:80 ::1 - ",
            "1.2.3.4 - - [14/Nov/2023:15:13:20 -0700] \"",
            "1.2.3.4 - - [14/Nov/2023:15:13:20 -0700] \"GET /",
            "1.2.3.4 - - [14/Nov/2023:15:13:20 -0700] \"GET / HTTP/1.1\" 200 1 \"",
        ],
        Format::Json => &["", "{\"", "{\"a\":\"", "{\"a\":", "{\"log\":", "{\"a\":1,"],
        Format::Logfmt => &["", "a=", "a=\"", "a=1 "],
        Format::Syslog => &[
            "",
            "<34>",
            "<34>Oct 11 22:14:15 ",
            "<34>Oct 11 22:14:15 host su[",
            "<34>1 - - - - - ",
            "<34>1 - - - - - [a",
            "<34>1 - - - - - [a b=\"",
            "<34>1 - - - - - - ",
        ],
        Format::Sshd => &[
            "",
            "Failed password for ",
            "Failed password for invalid user ",
            "Invalid user ",
            "Connection closed by invalid user ",
            "Disconnecting invalid user ",
            "error: PAM: Authentication failure for ",
        ],
        Format::Sudo => &["", "a : ", "a : TTY=", "a : TTY=x ; PWD=", "a : COMMAND="],
        Format::Su => &["", "(to ", "+ ", "Successful su for ", "BAD SU a to "],
        Format::Pam => &[
            "",
            "pam_",
            "pam_a(b:c): ",
            "pam_a(b:c): session opened for user ",
            "pam_a(b:c): authentication failure; logname=",
            "pam_a(b:c): access denied for user `",
        ],
        Format::Login => &["", "LOGIN ON ", "FAILED LOGIN 1 FROM ", "FAILED LOGIN 1 FROM x FOR "],
        Format::Shadow => &["", "new user: ", "new user: name=", "add '", "password of group x "],
        Format::Cron => &["", "(", "(a) ", "(a) CMD ("],
        Format::SystemdLogind => &["", "New session ", "New session 1 of user ", "Session "],
        Format::Netfilter => &["", "IN=", "IN= SRC=1.2.3.4 DST=1.2.3.4 "],
    }
}

/// What repeats.
const TEXTS: &[&str] = &[
    "\"",
    "\\",
    "\\\"",
    "[",
    "]",
    "{",
    "}",
    "[{\"a\":",
    "{\"a\":",
    "\"a\":{\"b\":1},",
    "\"host\":1,",
    "\"a\":1,",
    "\"\\u0061\":\"\\\\\",",
    " ",
    ":",
    "=",
    "a=1 ",
    "a ",
    "a=\"\\q\" ",
    "a=\"b\" ",
    " b=\"c\"",
    "\\]",
    "[a b=\"c\" b=\"d\"]",
    "]b[",
    ",",
    "1",
    "-",
    ".",
    "<",
    "?",
    "/",
    "%",
    "'",
    ") ",
    ", ",
    ": ",
    " ; ",
    " ; COMMAND=",
    " from ",
    " for ",
    " port 1",
    "IN=",
    " SYN",
    " SRC=1.2.3.4",
    "\u{0}",
    "\u{e4}",
    "x",
];

/// Those of the texts that a careless scanner looks at again and again.
const WORST: &[&str] = &[
    "\"",
    "\\",
    "[",
    "{\"a\":",
    "\"a\":{\"b\":1},",
    "a=\"\\q\" ",
    " b=\"c\"",
    "[a b=\"c\" b=\"d\"]",
    " from ",
    " ; ",
    "x",
];

fn parse_all(texts: &[&str], bytes: usize) {
    let context = Context::new(READ_AT, Zone::UTC);
    for format in FORMATS {
        for beginning in beginnings(*format) {
            for text in texts {
                let line = format!("{beginning}{}", text.repeat(bytes / text.len()));
                let mut counter = Counter::default();
                let result = format.parse(line.as_bytes(), &context, &mut counter);
                assert!(result.is_err() || counter.bytes > 0, "{}: {text:?} gives nothing", format.name());
                let passes_max = 20; // flattening, escapes and a second run may look at a byte several times
                assert!(counter.bytes <= line.len() * passes_max, "{}: {text:?}", format.name());
            }
        }
    }
}

#[test]
fn lines_of_64_kib_are_parsed_in_linear_time() {
    parse_all(TEXTS, 64 << 10);
}

#[test]
fn lines_of_10_mb_are_parsed_in_linear_time() {
    parse_all(WORST, 10_000_000);
}
