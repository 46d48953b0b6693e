//! `logweir explain`: the way of a line, step by step.
//!
//! Owns: the command, and how a way is told.
//! Promises: tells what each grammar said, what each step changed, which values decided each condition, and the document
//! that each output would get, all from the code that a running daemon uses.
//! Never: starts a source or an output.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;

use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use logweir_parsers::{Context, Format};
use logweir_pipeline::event::KeyTable;
use logweir_pipeline::parse::{Grammar, Grammars, Scratch};
use logweir_pipeline::router::{Branch, Route, RouteMode, Way};
use logweir_pipeline::time::now;
use logweir_pipeline::transform::Transform;
use serde_json::Value;

use super::ConfigArguments;
use super::parse::{Fields, explain, printable, read_line};
use crate::config::Config;
use crate::config::nearest;
use crate::config::sources::Source;
use crate::exit::Exit;
use crate::rehearsal::{Document, Rehearsal, Underway};
use crate::topology::lane_names;

/// The fields by which `parse_message` goes.
const MESSAGE: &str = "message";
const PROGRAM: &str = "process.name";

/// Arguments of `logweir explain`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The config: a file, or a folder of files
    config: PathBuf,
    /// The source that the lines are taken to come from; not needed when there is only one
    #[arg(long)]
    source: Option<String>,
    /// The line; without it and without --file, standard input
    line: Option<String>,
    /// A file of lines
    #[arg(long, conflicts_with = "line")]
    file: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let Some(config) = (ConfigArguments { config: vec![self.config.clone()] }).load()? else {
            return Ok(Exit::Usage);
        };
        let source = self.source(&config)?;
        let Some(rehearsal) = Rehearsal::new(&config, &source.name) else {
            bail!("nothing takes the events of `{}`: write it into the inputs of an output", source.name);
        };
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut teller = Teller { config: &config, source, rehearsal, out: &mut out };
        let mut input: Box<dyn BufRead> = match (&self.line, &self.file) {
            (Some(line), _) => Box::new(line.as_bytes()),
            (None, Some(path)) => {
                let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
                Box::new(BufReader::new(file))
            }
            (None, None) => {
                if io::stdin().is_terminal() {
                    writeln!(io::stderr(), "type lines; an end of file ends")?;
                }
                Box::new(io::stdin().lock())
            }
        };
        let mut line = Vec::new();
        while read_line(&mut input, &mut line).context("cannot read the lines")? {
            teller.tell(&line)?;
            teller.out.flush()?;
        }
        Ok(Exit::Success)
    }

    fn source<'c>(&self, config: &'c Config) -> anyhow::Result<&'c Source> {
        let is_read = |source: &&Source| !source.kind.is_made();
        let sources = config.sources.iter().filter(is_read).collect::<Vec<_>>();
        let names = || sources.iter().map(|source| source.name.as_str());
        let known = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match (&self.source, &sources[..]) {
            (None, [source]) => Ok(source),
            (None, _) => bail!("which source is it? Say `--source NAME`; there are {}", known()),
            (Some(wanted), sources) => {
                sources.iter().copied().find(|source| source.name == *wanted).with_context(|| {
                    let near = nearest(wanted, names()).map(|near| format!("; did you mean `{near}`?"));
                    let near = near.unwrap_or_default();
                    format!("no source is called `{wanted}`{near} There are {}", known())
                })
            }
        }
    }
}

/// Tells of lines of one source.
struct Teller<'a> {
    config: &'a Config,
    source: &'a Source,
    rehearsal: Rehearsal,
    out: &'a mut dyn Write,
}

impl Teller<'_> {
    fn tell(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let read_at = now();
        writeln!(self.out, "{}", printable(line))?;
        let is_parsed = self.tell_formats(line, read_at)?;
        let mut line = self.rehearsal.begin(line, read_at);
        let parsed = self.rehearsal.document(&line).unwrap_or_default();
        if is_parsed {
            self.tell_message(&parsed, read_at)?;
        }
        self.tell_document("  ", &parsed)?;
        let way = self.rehearsal.way().clone();
        self.tell_way(&way, &mut line, &parsed)?;
        self.rehearsal.end(line);
        writeln!(self.out)?;
        Ok(())
    }

    /// What each format said of the line, up to the first that took it; whether one did.
    fn tell_formats(&mut self, line: &[u8], read_at: i64) -> io::Result<bool> {
        let source = self.source;
        let is_parsed = self.tell_grammars("it", &source.formats, line, read_at)?;
        if !is_parsed {
            writeln!(self.out, "{}: no format takes it; it is delivered as it is", source.name)?;
        }
        Ok(is_parsed)
    }

    /// What the source's `parse_message` made of the message.
    fn tell_message(&mut self, parsed: &Document, read_at: i64) -> io::Result<()> {
        let source = self.source;
        let text = |name| parsed.fields.get(name).and_then(Value::as_str);
        let (Some(grammars), Some(message)) = (&source.parse_message, text(MESSAGE)) else { return Ok(()) };
        let program = text(PROGRAM).unwrap_or_default();
        let by_program = Format::of_message(program.as_bytes(), message.as_bytes()).map(Grammar::from);
        let grammars = match grammars {
            Grammars::Listed(grammars) => &grammars[..],
            Grammars::ByProgram => by_program.as_slice(),
        };
        if grammars.is_empty() {
            writeln!(
                self.out,
                "{}: no format is known for messages of `{}`",
                source.name,
                printable(program.as_bytes())
            )?;
        }
        if !self.tell_grammars("its message", grammars, message.as_bytes(), read_at)? {
            writeln!(self.out, "{}: its message stays as it is", source.name)?;
        }
        Ok(())
    }

    /// What each of these grammars said of a text, up to the first that took it; whether one did.
    fn tell_grammars(
        &mut self,
        what: &str,
        grammars: &[Grammar],
        text: &[u8],
        read_at: i64,
    ) -> io::Result<bool> {
        let context = Context::new(read_at, self.source.zone.clone());
        for grammar in grammars {
            let mut fields = Fields::new(KeyTable::new(Arc::clone(&self.config.keys)));
            match grammar.parse(text, &context, &mut fields, &mut Scratch::default()) {
                Ok(()) => {
                    writeln!(self.out, "{} reads {what} as {}", self.source.name, grammar.name())?;
                    return Ok(true);
                }
                Err(reject) => {
                    write!(self.out, "{}: {what} is not {}, ", self.source.name, grammar.name())?;
                    explain("stops at", text, reject, self.out)?;
                }
            }
        }
        Ok(false)
    }

    fn tell_document(&mut self, indent: &str, document: &Document) -> io::Result<()> {
        let width = document.fields.keys().map(String::len).max().unwrap_or_default();
        for (name, value) in &document.fields {
            writeln!(self.out, "{indent}{name:width$}  {}", shown(value))?;
        }
        Ok(())
    }

    fn tell_watcher(&mut self, lane: usize) -> io::Result<()> {
        let Some(name) = lane_names(self.config).get(lane).copied() else { return Ok(()) };
        writeln!(self.out, "→ {name} looks at it")
    }

    fn tell_way(&mut self, way: &Way, line: &mut Underway, before: &Document) -> anyhow::Result<()> {
        for &lane in &way.lanes {
            match self.config.outputs.get(lane) {
                Some(output) => writeln!(self.out, "→ {} takes it: {}", output.name, before.text)?,
                None => self.tell_watcher(lane)?,
            }
        }
        for branch in &way.branches {
            let here = line.save();
            match branch {
                Branch::Transform(transform, way) => {
                    if let Some(after) = self.tell_steps(transform, line, before)? {
                        self.tell_way(way, line, &after)?;
                    }
                }
                Branch::Route(route, ways) => self.tell_ports(route, ways, line, before)?,
            }
            line.restore(here);
        }
        Ok(())
    }

    /// By which ports the event leaves, and why by no other that was asked.
    fn tell_ports(
        &mut self,
        route: &Route,
        ways: &[Way],
        line: &mut Underway,
        before: &Document,
    ) -> anyhow::Result<()> {
        let left = line.ports_of(route);
        let conditions = route.conditions().iter().collect::<Vec<_>>();
        let answers = self.rehearsal.answers(&conditions, line);
        for (port, way) in ways.iter().enumerate() {
            let (leaves, answer) = (left.contains(&port), answers.get(port));
            let was_asked = route.mode() == RouteMode::All || left.first().is_some_and(|first| port < *first);
            if !leaves && (!was_asked || answer.is_none()) {
                continue;
            }
            writeln!(self.out, "{}", route.port(port))?;
            answer.map_or(Ok(()), |answer| self.tell_answer(answer))?;
            if leaves && way.is_empty() {
                writeln!(self.out, "  nothing reads it")?;
            }
            if leaves {
                let here = line.save();
                self.tell_way(way, line, before)?;
                line.restore(here);
            }
        }
        Ok(())
    }

    /// Whether a condition is true, and the comparisons that decided.
    fn tell_answer(&mut self, (answer, reasons): &(bool, Vec<String>)) -> io::Result<()> {
        let answer = if *answer { "yes" } else { "no" };
        writeln!(self.out, "  {answer}: {}", printable(reasons.join("; ").as_bytes()))
    }

    /// What each step does to the event; the document behind them, unless one drops it.
    fn tell_steps(
        &mut self,
        transform: &Transform,
        line: &mut Underway,
        before: &Document,
    ) -> io::Result<Option<Document>> {
        let (mut last, mut events) = (None, line.events());
        for step in &transform.steps {
            writeln!(self.out, "{}", step.name)?;
            for answer in self.rehearsal.answers(&step.conditions(), line) {
                self.tell_answer(&answer)?;
                if !answer.0 {
                    break;
                }
            }
            self.rehearsal.apply(step, line);
            let Some(after) = self.rehearsal.document(line) else {
                writeln!(self.out, "  drops it")?;
                return Ok(None);
            };
            if line.events() != events {
                events = line.events();
                writeln!(self.out, "  {events} events of it; the first:")?;
            }
            self.tell_changes(last.as_ref().unwrap_or(before), &after)?;
            last = Some(after);
        }
        Ok(last)
    }

    fn tell_changes(&mut self, before: &Document, after: &Document) -> io::Result<()> {
        let mut changes = 0;
        for (name, value) in &before.fields {
            match after.fields.get(name) {
                Some(new) if new == value => continue,
                Some(new) => writeln!(self.out, "  ~ {name}: {} → {}", shown(value), shown(new))?,
                None => writeln!(self.out, "  - {name}: {}", shown(value))?,
            }
            changes += 1;
        }
        for (name, value) in after.fields.iter().filter(|(name, _)| !before.fields.contains_key(*name)) {
            writeln!(self.out, "  + {name}: {}", shown(value))?;
            changes += 1;
        }
        if changes == 0 {
            writeln!(self.out, "  changes nothing")?;
        }
        Ok(())
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text.as_bytes()),
        other => other.to_string(),
    }
}
