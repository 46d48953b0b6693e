//! `[[tests]]`: lines and what is to become of them.
//!
//! Owns: [`TestCase`], the keys of a test.
//! Promises: everything that is expected keeps its place in the config, so that a difference can be shown there.
//! Never: runs a test.

use super::decode::{Decoder, Found};
use super::error::Diagnostic;
use super::nearest::suggest;
use super::schema::{SectionKind, Table, table};
use super::value::tables::{FieldLists, Fields};
use super::value::{At, Instant};

/// The one kind of test.
pub(crate) const TEST: SectionKind = SectionKind {
    header: "[tests]",
    component: None,
    summary: "Lines and what is to become of them; `logweir test` tells each difference.",
    shared: &[],
    keys: &[TestCase::KEYS],
};

table! {
    /// A test of the config.
    #[derive(Debug)]
    pub(crate) struct TestCase {
        /// What the test shows, for its message.
        name: At<String>,
        /// The source that the lines are taken to come from.
        source: At<String>,
        /// The lines, each an event of its own; a text with line ends is one event of several lines.
        lines: Vec<At<String>>,
        /// When the lines are taken to be read, for times without a year. Absent: now.
        read_at: Option<Instant>,
        /// The outputs that every line must reach, all of them.
        outputs: Option<At<Vec<At<String>>>>,
        /// The port of a route, as `ROUTE.PORT`, by which every line must leave.
        route: Option<At<String>>,
        /// The transform, or the step as `TRANSFORM.STEP`, that must drop every line.
        dropped_by: Option<At<String>>,
        /// Fields that every line's document must have, in every output.
        fields: Option<Fields>,
        /// Fields that no line's document may have.
        absent: Option<Vec<At<String>>>,
        /// The results of aggregates that all lines together must bring about when nothing comes after them, in their order:
        /// for each a table of fields that it must have.
        results: Option<At<FieldLists>>,
    }
}

/// The test of a table. `sources` are the names that it may take its lines from, `ports` those of routes.
pub(super) fn decode<'n>(
    found: &Found<'_>,
    sources: impl Iterator<Item = &'n str> + Clone,
    ports: impl Iterator<Item = &'n str> + Clone,
    decoder: &mut Decoder<'_>,
) -> Option<TestCase> {
    decoder.refuse_unknown(found, TEST.all_keys());
    let test = TestCase::decode(found, decoder)?;
    if !sources.clone().any(|name| name == test.source.value) {
        let (label, known) = suggest(&test.source.value, sources, "expected the name of a source");
        decoder.report(
            Diagnostic::error(format!("no source is called `{}`", test.source.value))
                .at(test.source.place, label)
                .help(format!("the sources are {known}")),
        );
    }
    if let Some(route) = &test.route
        && !ports.clone().any(|port| port == route.value)
    {
        let (label, known) = suggest(&route.value, ports, "expected a port of a route, `ROUTE.PORT`");
        let error = Diagnostic::error(format!("no port is called `{}`", route.value)).at(route.place, label);
        let help = if known.is_empty() {
            "the config has no routes".to_owned()
        } else {
            format!("the ports are {known}")
        };
        decoder.report(error.help(help));
    }
    if test.expects_nothing() {
        decoder.report(Diagnostic::error("a test that expects nothing").at(
            found.name.place,
            "expected `outputs`, `route`, `dropped_by`, `fields`, `absent` or `results`",
        ));
    }
    Some(test)
}

impl TestCase {
    fn expects_nothing(&self) -> bool {
        let way = self.outputs.is_none() && self.route.is_none() && self.dropped_by.is_none();
        way && self.fields.is_none() && self.absent.is_none() && self.results.is_none()
    }
}
