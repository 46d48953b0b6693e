//! What a step `redact` does not reach: the line as it was read.
//!
//! Owns: [`Redaction`], what a transform does about secrets, and the warnings of what keeps them all the same.
//! Promises: tells of `event.original`, which a source with `keep_original` adds, and of outputs that write lines as they
//! were read, where they stand behind a `redact`.
//! Never: refuses a config: what `redact` looks for need not be in the line.

use std::collections::BTreeMap;

use logweir_outputs::file::{FileConfig, FileEncoding};
#[cfg(feature = "kafka")]
use logweir_outputs::kafka::KafkaEncoding;
use logweir_outputs::output::OutputKind;
use logweir_parsers::format::Format;
use logweir_pipeline::parse::Grammar;

use super::error::{Diagnostic, Place};
use super::outputs::Output;
use super::sources::Source;
use super::ways::Way;

/// The field with the line as it was read.
pub(super) const ORIGINAL: &str = "event.original";

/// What a transform does about secrets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Redaction {
    /// Where its first `redact` stands, if it has one.
    pub(super) redacts: Option<Place>,
    /// Whether [`ORIGINAL`] is redacted too, or removed.
    pub(super) covers_original: bool,
}

/// Warns of what keeps secrets that a transform redacts, each once. The ways are those of the sources.
pub(super) fn warn(
    sources: &[Source],
    ways: &[Way],
    redactions: &BTreeMap<String, Redaction>,
    outputs: &[Output],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut walk = Walk { redactions, outputs, found: BTreeMap::new() };
    for (source, way) in sources.iter().zip(ways) {
        let adds_original = source.keep_original
            && source.formats.iter().any(|format| !matches!(format, Grammar::Known(Format::Raw)));
        let start = Redaction { redacts: None, covers_original: !adds_original };
        walk.walk(source, way, start);
    }
    diagnostics.extend(walk.found.into_values());
}

/// The walk along the ways.
struct Walk<'a> {
    redactions: &'a BTreeMap<String, Redaction>,
    outputs: &'a [Output],
    /// By the place of the step and the name of what keeps the secret.
    found: BTreeMap<(Place, &'a str), Diagnostic>,
}

impl<'a> Walk<'a> {
    fn walk(&mut self, source: &'a Source, way: &Way, so_far: Redaction) {
        if let Some(place) = so_far.redacts {
            for output in &way.outputs {
                self.output(source, output, place, so_far.covers_original);
            }
        }
        for branch in &way.branches {
            let own = self.redactions.get(&branch.name).copied().unwrap_or_default();
            let behind = Redaction {
                redacts: so_far.redacts.or(own.redacts),
                covers_original: so_far.covers_original || own.covers_original,
            };
            branch.ways.iter().for_each(|way| self.walk(source, way, behind));
        }
    }

    fn output(&mut self, source: &'a Source, name: &str, place: Place, covers_original: bool) {
        let Some(output) = self.outputs.iter().find(|output| output.name == name) else { return };
        if let Some(remedy) = raw_lines(&output.kind) {
            let warning =
                Diagnostic::warning(format!("`{name}` writes lines as they were read, secrets included"))
                    .at(place, "this hides nothing there")
                    .help(format!("write `{remedy}` in [outputs.{name}]"));
            self.found.insert((place, &output.name), warning);
        } else if !covers_original {
            let source = &source.name;
            let warning = Diagnostic::warning(format!("`{ORIGINAL}` keeps the lines of `{source}`, secrets included"))
                .at(place, "this does not look into it")
                .help(format!(
                    "add `{ORIGINAL}` to the fields, or a step that removes it, or leave `keep_original` out of [sources.{source}]"
                ));
            self.found.insert((place, source), warning);
        }
    }
}

/// What an output that writes lines as they were read is to say instead.
fn raw_lines(kind: &OutputKind) -> Option<&'static str> {
    match kind {
        OutputKind::File(FileConfig { encoding: FileEncoding::Raw, .. }) => Some("format = \"ndjson\""),
        #[cfg(feature = "kafka")]
        OutputKind::Kafka(kafka) if kafka.encoding == KafkaEncoding::Raw => Some("encoding = \"json\""),
        _ => None,
    }
}
