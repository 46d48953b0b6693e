//! `[aggregates.NAME]`.
//!
//! Owns: the keys of an aggregate; those of its results stand in a file below.
//! Promises: windows fit together, every field has its number, and every result can be computed, before anything starts.
//! Never: sees an event.

mod compute;
pub(super) mod window;

use std::sync::Arc;

use logweir_parsers::{Format, Zone};
use logweir_pipeline::Keys;
use logweir_pipeline::aggregate::AggregateConfig;
use logweir_pipeline::event::ConstantSet;
use logweir_pipeline::watermark::TimeLimits;

use self::compute::Compute;
use self::window::WindowKeys;
use super::component::Fed;
use super::conditions::WrittenCondition;
use super::decode::{Decoder, Found};
use super::schema::{SectionKind, Table, table};
use super::sources::{DataStreamPart, Source, SourceKind};
use super::time::OwnTimeKeys;
use super::transforms::intern;
use super::value::tables::Nested;
use super::value::{At, Integer};

/// The one kind of aggregate.
pub(crate) const AGGREGATE: SectionKind = SectionKind {
    header: "aggregates.NAME",
    component: None,
    summary: "Makes an event of what the events of a window come to, for each group. It is read as `NAME`.",
    shared: &[Fed::KEYS],
    keys: &[AggregateKeys::KEYS, OwnTimeKeys::KEYS],
};

table! {
    /// The keys of an aggregate, besides its inputs.
    struct AggregateKeys {
        /// Which events are meant. Absent: all.
        r#where: Option<WrittenCondition>,
        /// Fields by whose values events are put into groups. An event that lacks one is passed over and counted. Absent: all
        /// events are one group.
        by: Option<Vec<At<String>>>,
        /// How events are put together by their times.
        window: At<Nested<WindowKeys>>,
        /// What is computed, by name: the document has it as `logweir.metrics.NAME`.
        compute: Compute,
        /// Groups that a window has at most. Events of further ones are counted as refused.
        max_keys: Integer<usize, 1, 100_000_000> = 1000000,
        /// The dataset of the results, the middle of their data stream's name.
        dataset: DataStreamPart = "logweir.aggregate",
        /// The namespace of the results, the end of their data stream's name.
        namespace: DataStreamPart = "default",
    }
}

/// The source of the results of a section's aggregate; what is wrong goes to the decoder.
pub(crate) fn decode(
    name: &str,
    found: &Found<'_>,
    common: TimeLimits,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Source> {
    let (own, time) = (AggregateKeys::decode(found, decoder), OwnTimeKeys::decode(found, decoder));
    let (own, time) = own.zip(time)?;
    // Everything that is wrong is told, so all are looked at before the first that failed counts.
    let condition = own.r#where.map(|condition| condition.checked(keys, decoder).ok_or(()));
    let by = own.by.unwrap_or_default().into_iter();
    let by = by.map(|At { value, place }| Some((value.clone(), intern(&value, place, keys, decoder)?)));
    let by = by.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>();
    let At { value: Nested(window), place } = own.window;
    let windows = window.checked(place, decoder);
    let compute = own.compute.checked(keys, decoder);
    let limits = time.over(common);
    let ((windows, window_time), compute) = windows.zip(compute)?;
    let config = AggregateConfig {
        name: name.to_owned(),
        condition: condition.transpose().ok()?,
        by: by?,
        windows,
        time: window_time,
        limits,
        compute,
        groups_max: own.max_keys.0,
    };
    Some(Source {
        name: name.to_owned(),
        formats: vec![Format::Json.into()],
        parse_message: None,
        fields: ConstantSet::default(),
        dataset: Some(own.dataset.0),
        namespace: own.namespace.0,
        zone: Zone::UTC,
        keep_original: false,
        kind: SourceKind::Aggregate(Box::new(config)),
        settings: 0,
    })
}
