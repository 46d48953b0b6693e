//! `logweir test`: what the config says of lines, against what becomes of them.
//!
//! Owns: the command, and the comparison of a document with what a test expects.
//! Promises: every difference of every test is told, at the place in the config that expects otherwise; the exit code
//! says whether there was one.
//! Never: starts a source or an output.

mod results;

use std::io::{self, IsTerminal, Write};

use clap::Args;
use logweir_pipeline::event::ConstantValue;
use logweir_pipeline::time::now;
use serde_json::Value;

use super::ConfigArguments;
use crate::config::cases::TestCase;
use crate::config::error::Diagnostic;
use crate::config::{Config, Report};
use crate::exit::Exit;
use crate::rehearsal::{Document, Rehearsal, Rehearsed};

/// Letters of a line that a message shows.
const EXCERPT: usize = 120;

/// Arguments of `logweir test`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let Some((config, files)) = self.config.load_with_files()? else {
            return Ok(Exit::Usage);
        };
        let differences = config.tests.iter().map(|test| differences(test, &config));
        let differences = differences.collect::<anyhow::Result<Vec<_>>>()?;
        let failed = differences.iter().filter(|differences| !differences.is_empty()).count();
        let diagnostics = differences.into_iter().flatten().collect();
        let report = Report { files, diagnostics };
        io::stderr().write_all(report.render(io::stderr().is_terminal()).as_bytes())?;
        let total = config.tests.len();
        if failed > 0 {
            writeln!(io::stderr(), "tests failed: {failed} of {total}")?;
            return Ok(Exit::Failed);
        }
        if total == 0 {
            writeln!(io::stderr(), "the config has no [[tests]]; the reference shows how to write one")?;
            return Ok(Exit::Success);
        }
        writeln!(io::stdout(), "all tests passed: {total}")?;
        Ok(Exit::Success)
    }
}

/// What is other than a test expects.
fn differences(test: &TestCase, config: &Config) -> anyhow::Result<Vec<Diagnostic>> {
    let Some(mut rehearsal) = Rehearsal::new(config, &test.source.value) else {
        let title = format!("{}: nothing takes the events of `{}`", test.name.value, test.source.value);
        let expected = "expected a source that feeds an output or an aggregate";
        return Ok(vec![Diagnostic::error(title).at(test.source.place, expected)]);
    };
    let mut found = Vec::new();
    let read_at = test.read_at.map_or_else(now, |at| at.0);
    for line in &test.lines {
        let outcome = rehearsal.run(line.value.as_bytes(), read_at);
        let mut compare =
            Comparison { test, line: excerpt(&line.value), outcome: &outcome, found: &mut found };
        compare.way(config);
        compare.fields(config);
    }
    found.extend(results::differences(test, config, read_at)?);
    Ok(found)
}

/// One line of a test and what became of it.
struct Comparison<'a> {
    test: &'a TestCase,
    line: String,
    outcome: &'a Rehearsed,
    found: &'a mut Vec<Diagnostic>,
}

impl Comparison<'_> {
    fn error(&self, what: &str) -> Diagnostic {
        Diagnostic::error(format!("{}: {what}", self.test.name.value))
            .help(format!("the line: {}", self.line))
    }

    fn way(&mut self, config: &Config) {
        let reached = self.outcome.documents.keys().map(|&output| config.outputs[output].name.as_str());
        let reached = reached.collect::<Vec<_>>();
        let way = match &self.outcome.dropped_by {
            Some(step) => format!("`{step}` drops it"),
            None => format!("it reaches {}", listed(&reached)),
        };
        if let Some(expected) = &self.test.outputs {
            let mut names = expected.value.iter().map(|output| output.value.as_str()).collect::<Vec<_>>();
            let mut reached = reached;
            names.sort_unstable();
            reached.sort_unstable();
            if names != reached {
                let label = format!("expected {}", listed(&names));
                self.found.push(self.error(&way).at(expected.place, label));
            }
        }
        if let Some(expected) = &self.test.route
            && !self.outcome.ports.contains(&expected.value)
        {
            let ports = self.outcome.ports.iter().map(|port| format!("`{port}`")).collect::<Vec<_>>();
            let ports = if ports.is_empty() { "no port of a route".to_owned() } else { ports.join(", ") };
            let label = format!("expected `{}`", expected.value);
            self.found.push(self.error(&format!("it leaves by {ports}")).at(expected.place, label));
        }
        if let Some(expected) = &self.test.dropped_by
            && !self.outcome.dropped_by.as_ref().is_some_and(|step| is_of(step, &expected.value))
        {
            let label = format!("expected `{}` to drop it", expected.value);
            self.found.push(self.error(&way).at(expected.place, label));
        }
    }

    fn fields(&mut self, config: &Config) {
        let fields = self.test.fields.as_ref().map(|fields| fields.0.as_slice()).unwrap_or_default();
        if let (None, Some(first)) = (self.outcome.documents.values().next(), fields.first()) {
            let dropped_by = self.outcome.dropped_by.as_deref().unwrap_or("its way");
            let title = format!("there is no document: `{dropped_by}` drops it");
            self.found.push(self.error(&title).at(first.place, "expected this field"));
            return;
        }
        let documents = self.outcome.documents.iter();
        let documents = documents
            .flat_map(|(output, documents)| documents.iter().map(move |document| (*output, document)));
        for (output, document) in documents {
            let output = &config.outputs[output].name;
            for expected in fields {
                let (name, value) = &expected.value;
                let actual = document.fields.get(name);
                if !actual.is_some_and(|actual| is_equal(actual, value)) {
                    let actual = actual.map_or("absent".to_owned(), Value::to_string);
                    let title = format!("`{name}` is {actual} in `{output}`");
                    let label = format!("expected {}", json(value));
                    self.found.push(self.error(&title).at(expected.place, label));
                }
            }
            self.absent(output, document);
        }
    }

    fn absent(&mut self, output: &str, document: &Document) {
        for expected in self.test.absent.iter().flatten() {
            if let Some(actual) = document.fields.get(&expected.value) {
                let title = format!("`{}` is {actual} in `{output}`", expected.value);
                self.found.push(self.error(&title).at(expected.place, "expected it to be absent"));
            }
        }
    }
}

/// Whether a step, `TRANSFORM.STEP`, has this name or is of the transform of this name.
fn is_of(step: &str, name: &str) -> bool {
    step.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a document has this value. `2` and `2.0` are one number.
fn is_equal(actual: &Value, expected: &ConstantValue) -> bool {
    let expected = json(expected);
    match (actual.as_f64(), expected.as_f64()) {
        (Some(actual_number), Some(number)) => {
            *actual == expected || actual_number.total_cmp(&number).is_eq()
        }
        _ => *actual == expected,
    }
}

fn json(value: &ConstantValue) -> Value {
    serde_json::from_slice(&value.to_json()).unwrap_or_default()
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "no output".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

fn excerpt(line: &str) -> String {
    match line.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
