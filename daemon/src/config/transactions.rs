//! Outputs that write in the transactions of a source.
//!
//! Owns: what such an output and its source must have in common, and finding the output of a source.
//! Promises: a transaction has the positions of one source and the records of one output, of one cluster.
//! Never: connects.

use std::collections::BTreeSet;

use logweir_outputs::kafka::KafkaConfig;
use logweir_outputs::output::OutputKind;
use logweir_pipeline::source::kafka::KafkaSourceConfig;

use super::error::{Diagnostic, Place};
use super::outputs::Output;
use super::sources::{Source, SourceKind};
use super::ways::Way;

/// The output in whose transactions the events on this way are written, by its place in the list.
pub(crate) fn output_of(way: &Way, outputs: &[Output]) -> Option<usize> {
    let names = way.all_outputs();
    outputs.iter().position(|output| output.transactional.is_some() && names.contains(output.name.as_str()))
}

/// Tells of outputs whose transactions cannot have the positions of what they write. The ways are those of the sources.
pub(super) fn check(sources: &[Source], ways: &[Way], outputs: &[Output], diagnostics: &mut Vec<Diagnostic>) {
    let mut checked = Vec::<(&Output, &KafkaConfig, Place, &Source)>::new();
    for output in outputs {
        let (OutputKind::Kafka(kafka), Some(place)) = (&output.kind, output.transactional) else { continue };
        let mut feeding = sources
            .iter()
            .zip(ways)
            .filter(|(_, way)| way.all_outputs().contains(output.name.as_str()))
            .map(|(source, _)| source);
        let Some(source) = feeding.next() else { continue };
        if let Some(other) = feeding.next() {
            diagnostics.push(
                Diagnostic::error(format!("`{}` gets events of `{}` and `{}`", output.name, source.name, other.name))
                    .at(place, "expected the events of one source: a transaction has the positions of one")
                    .help("let one source read the topics of both, or write each source's events by an output of its own"),
            );
            continue;
        }
        if let Some(diagnostic) = wrong_source(output, kafka, place, source) {
            diagnostics.push(diagnostic);
            continue;
        }
        if let Some((first, _, first_place, _)) = checked.iter().find(|(.., known)| known.name == source.name)
        {
            diagnostics.push(
                Diagnostic::error(format!(
                    "the events of `{}` go into transactions of `{}` and of `{}`",
                    source.name, first.name, output.name
                ))
                .at(place, "expected one output with `transactional_id` for each source")
                .at(*first_place, "the first one")
                .help("one output writes to many topics: its `topic` is a template"),
            );
        }
        let id = |kafka: &KafkaConfig| kafka.transaction.as_ref().map(|transaction| transaction.id.clone());
        if let Some((_, _, first_place, _)) = checked.iter().find(|(_, known, ..)| id(known) == id(kafka)) {
            diagnostics.push(
                Diagnostic::error("two outputs have one `transactional_id`")
                    .at(place, "expected another: each would end the other")
                    .at(*first_place, "the first one"),
            );
        }
        checked.push((output, kafka, place, source));
    }
}

fn wrong_source(output: &Output, kafka: &KafkaConfig, place: Place, source: &Source) -> Option<Diagnostic> {
    let SourceKind::Kafka(from) = &source.kind else {
        return Some(
            Diagnostic::error(format!("the events of `{}` come from `{}`, which is not Kafka", output.name, source.name))
                .at(place, "expected a source of `type = \"kafka\"`: its positions are part of the transaction")
                .help("leave `transactional_id` out: records are acknowledged before the source goes on, as everywhere"),
        );
    };
    let brokers = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let KafkaSourceConfig { connection, .. } = &**from;
    (brokers(&connection.brokers) != brokers(&kafka.connection.brokers)).then(|| {
        Diagnostic::error(format!("`{}` and `{}` have different brokers", source.name, output.name))
            .at(place, "expected the same cluster: a transaction does not reach into another")
            .help("write the same `brokers` in both")
    })
}
