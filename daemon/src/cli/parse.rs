//! `logweir parse`: what a grammar makes of lines.
//!
//! Owns: the command, and the sink that gathers fields for display.
//! Promises: shows for each line its fields, or the place where the grammar stopped and what it expected there.
//! Never: changes or keeps a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use logweir_parsers::preset::{Constant, PRESETS};
use logweir_parsers::{Context, FORMATS, Format, KeyId, PresetId, Rejection, Sink, Zone, key};
use logweir_pipeline::Keys;
use logweir_pipeline::event::KeyTable;
use logweir_pipeline::parse::{Grammar, Scratch};
use logweir_pipeline::time::{TimeText, now};
use serde_json::{Map, Value, json};

use super::ConfigArguments;
use crate::config::nearest;
use crate::exit::Exit;

/// Longest line looked at; the rest of a longer one is left out.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most names of fields in lines of a format that every config has.
const KEYS_MAX: usize = 65_000;
/// Letters of the line shown on each side of the failing column.
const EXCERPT: usize = 60;

/// Arguments of `logweir parse`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The format: one of `logweir config-reference formats`, or one of the config
    format: String,
    /// A file of lines; standard input when absent
    file: Option<PathBuf>,
    /// The config that has the format: a file, or a folder of files
    #[arg(long)]
    config: Option<PathBuf>,
    /// One JSON object a line, also on a terminal
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let Some((grammar, keys)) = self.grammar()? else {
            return Ok(Exit::Usage);
        };
        let mut input: Box<dyn BufRead> = match &self.file {
            Some(path) => {
                let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
                Box::new(BufReader::new(file))
            }
            None => Box::new(io::stdin().lock()),
        };
        let as_json = self.json || !io::stdout().is_terminal();
        let mut out = io::BufWriter::new(io::stdout().lock());
        let context = Context::new(now(), Zone::UTC);
        let mut scratch = Scratch::default();
        let mut line = Vec::new();
        let (mut number, mut failed) = (0_u64, 0_u64);
        while read_line(&mut input, &mut line).context("cannot read the lines")? {
            number += 1;
            let mut fields = Fields::new(KeyTable::new(Arc::clone(&keys)));
            fields.constants(&grammar);
            match grammar.parse(&line, &context, &mut fields, &mut scratch) {
                Ok(()) if as_json => writeln!(out, "{}", fields.into_json())?,
                Ok(()) => fields.write_aligned(number, &mut out)?,
                Err(reject) => {
                    failed += 1;
                    out.flush()?;
                    explain(&format!("line {number},"), &line, reject, &mut io::stderr().lock())?;
                }
            }
        }
        out.flush()?;
        if failed > 0 {
            writeln!(io::stderr(), "{failed} of {number} lines did not fit {}", grammar.name())?;
            return Ok(Exit::Failed);
        }
        Ok(Exit::Success)
    }

    /// The format, and the table of its fields; `None` when the config is wrong, which was told.
    fn grammar(&self) -> anyhow::Result<Option<(Grammar, Arc<Keys>)>> {
        let mut names = FORMATS.iter().map(|format| format.name().to_owned()).collect::<Vec<_>>();
        if let Some(format) = Format::by_name(&self.format) {
            return Ok(Some((format.into(), Keys::new(KEYS_MAX))));
        }
        if let Some(path) = &self.config {
            let Some(config) = (ConfigArguments { config: vec![path.clone()] }).load()? else {
                return Ok(None);
            };
            if let Some(format) = config.formats.iter().find(|format| format.name == self.format) {
                return Ok(Some((Grammar::Own(Arc::clone(format)), config.keys)));
            }
            names.extend(config.formats.iter().map(|format| format.name.clone()));
        }
        let near = nearest(&self.format, names.iter().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let more = if self.config.is_none() { ", and with --config those of a config" } else { "" };
        bail!("no format is called `{}`{near} There are {}{more}", self.format, names.join(", "))
    }
}

/// Reads one line without its end; `false` at the end of the input.
pub(super) fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.take(LINE_BYTES_MAX).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == LINE_BYTES_MAX {
        input.skip_until(b'\n')?;
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(true)
}

/// Draws the line, after a word on its place, with a caret under the column where the grammar stopped.
pub(super) fn explain(
    place: &str,
    line: &[u8],
    reject: Rejection<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let offset = reject.offset.min(line.len());
    let before = printable(&line[offset.saturating_sub(EXCERPT * 4)..offset]);
    let skipped = before.chars().count().saturating_sub(EXCERPT);
    let before = before.chars().skip(skipped).collect::<String>();
    let after = printable(&line[offset..(offset + EXCERPT * 4).min(line.len())]);
    let after = after.chars().take(EXCERPT).collect::<String>();
    writeln!(out, "{place} column {}:", reject.offset + 1)?;
    writeln!(out, "  {before}{after}")?;
    writeln!(out, "  {}^ expected {}", " ".repeat(before.chars().count()), reject.expected)
}

/// The text with a visible sign for what a terminal would act on.
pub(super) fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .map(|letter| if letter.is_control() { '·' } else { letter })
        .collect()
}

/// The fields of one line, in order.
#[derive(Debug)]
pub(super) struct Fields {
    keys: KeyTable,
    members: Vec<(String, Value)>,
    timestamp: Option<i64>,
    preset: Option<PresetId>,
}

impl Fields {
    /// None yet; their names are in this table.
    pub(super) fn new(keys: KeyTable) -> Self {
        Self { keys, members: Vec::new(), timestamp: None, preset: None }
    }

    /// What a format of the config adds, unless the line gives it.
    fn constants(&mut self, grammar: &Grammar) {
        if let Grammar::Own(format) = grammar {
            let constants = format.constants.iter();
            self.members
                .extend(constants.map(|constant| (constant.name.clone(), parsed(&constant.value.to_json()))));
        }
    }

    /// Adds a field, or gives it another value.
    fn add(&mut self, key: KeyId, value: Value) {
        let name = String::from_utf8_lossy(self.keys.name(key)).into_owned();
        match self.members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.members.push((name, value)),
        }
    }

    /// Time, fields, then what the grammar says by its preset.
    fn into_members(self) -> Vec<(String, Value)> {
        let mut members = Vec::new();
        if let Some(nanos) = self.timestamp {
            members.push(("@timestamp".to_owned(), text(TimeText::new().render(nanos))));
        }
        members.extend(self.members);
        for (key, constant) in
            self.preset.and_then(|preset| PRESETS.get(usize::from(preset.0))).into_iter().copied().flatten()
        {
            let value = match constant {
                Constant::Text(text) => json!(text),
                Constant::List(items) => json!(items),
                Constant::Integer(value) => json!(value),
            };
            members.push((key::KNOWN[usize::from(key.0)].to_owned(), value));
        }
        members
    }

    /// One JSON object, the members in their order.
    fn into_json(self) -> String {
        let members = self.into_members().into_iter();
        let members = members.map(|(name, value)| format!("{}:{value}", Value::String(name)));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    fn write_aligned(self, number: u64, out: &mut dyn Write) -> io::Result<()> {
        let members = self.into_members();
        let width = members.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        writeln!(out, "line {number}")?;
        for (name, value) in members {
            let shown = match value {
                Value::String(text) => printable(text.as_bytes()),
                other => other.to_string(),
            };
            writeln!(out, "  {name:width$}  {shown}")?;
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

/// A JSON value from its text.
fn parsed(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_else(|_| text(json))
}

fn joined<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Vec<u8> {
    pieces.flatten().copied().collect()
}

impl Sink for Fields {
    fn key(&mut self, name: &[u8]) -> Option<KeyId> {
        self.keys.intern(name)
    }

    fn text_span(&mut self, key: KeyId, value: &[u8]) {
        self.add(key, text(value));
    }

    fn json_text_span(&mut self, key: KeyId, value: &[u8]) {
        let quoted = [b"\"", value, b"\""].concat();
        self.add(key, parsed(&quoted));
    }

    fn json_span(&mut self, key: KeyId, json: &[u8]) {
        self.add(key, parsed(json));
    }

    fn member(&mut self, json: &[u8]) {
        let object = [b"{", json, b"}"].concat();
        if let Ok(members) = serde_json::from_slice::<Map<String, Value>>(&object) {
            self.members.extend(members);
        }
    }

    fn made_member(&mut self, name: &[u8], value: &[u8]) {
        self.members.push((String::from_utf8_lossy(name).into_owned(), text(value)));
    }

    fn made_text<'p>(&mut self, key: KeyId, pieces: impl Iterator<Item = &'p [u8]>) {
        self.add(key, text(&joined(pieces)));
    }

    fn made_json(&mut self, key: KeyId, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let mut json = Vec::new();
        write(&mut |piece| json.extend_from_slice(piece));
        self.add(key, parsed(&json));
    }

    fn integer(&mut self, key: KeyId, value: i64) {
        self.add(key, json!(value));
    }

    fn float(&mut self, key: KeyId, value: f64) {
        self.add(key, json!(value));
    }

    fn boolean(&mut self, key: KeyId, value: bool) {
        self.add(key, json!(value));
    }

    fn timestamp(&mut self, nanos: i64) {
        self.timestamp = Some(nanos);
    }

    fn preset(&mut self, preset: PresetId) {
        self.preset = Some(preset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_failing_column() {
        let mut drawn = Vec::new();
        let reject = Rejection { offset: 4, expected: "a number" };
        explain("line 7,", b"a=1\tx", reject, &mut drawn).unwrap();
        assert_eq!(
            String::from_utf8(drawn).unwrap(),
            "line 7, column 5:\n  a=1·x\n      ^ expected a number\n"
        );
    }

    #[test]
    fn a_long_line_is_shown_around_the_column() {
        let mut drawn = Vec::new();
        let line = vec![b'x'; 100_000];
        explain("line 1,", &line, Rejection { offset: 50_000, expected: "y" }, &mut drawn).unwrap();
        assert!(drawn.len() < 400);
    }

    #[test]
    fn lines_end_with_or_without_a_newline() {
        let mut input: &[u8] = b"one\r\n\ntwo";
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while read_line(&mut input, &mut line).unwrap() {
            lines.push(String::from_utf8(line.clone()).unwrap());
        }
        assert_eq!(lines, ["one", "", "two"]);
    }

    #[test]
    fn fields_are_shown_in_their_order() {
        let mut fields = Fields::new(KeyTable::new(Keys::new(10)));
        fields.text_span(key::MESSAGE, b"hi \"you\"");
        let own = fields.key(b"own").unwrap();
        fields.integer(own, 5);
        fields.timestamp(0);
        assert_eq!(
            fields.into_json(),
            r#"{"@timestamp":"1970-01-01T00:00:00.000Z","message":"hi \"you\"","own":5}"#
        );
    }
}
