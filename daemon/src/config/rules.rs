//! `[rules.NAME]`.
//!
//! Owns: the keys that all rules share; those of each kind stand in [`mod@keys`].
//! Promises: a rule is of one kind, every field has its number, and every setting makes sense, before anything starts.
//! Never: sees an event.

mod keys;
mod kind;
mod placeholders;
mod sigma;

use std::sync::Arc;
use std::time::Duration;

use logweir_parsers::{Format, Zone};
use logweir_pipeline::Keys;
use logweir_pipeline::event::ConstantSet;
use logweir_pipeline::rule::{Level, Limits, Rule, RuleConfig, RuleText};
use logweir_pipeline::watermark::{TimeLimits, nanos};

use self::keys::KindKeys;
use super::component::Fed;
use super::conditions::WrittenCondition;
use super::decode::{Decoder, Found};
use super::error::Diagnostic;
use super::schema::{SectionKind, Table, table};
use super::sources::{DataStreamPart, Source, SourceKind};
use super::time::OwnTimeKeys;
use super::transforms::intern;
use super::value::{At, Integer, Words};

/// The one kind of section for rules.
pub(crate) const RULE: SectionKind = SectionKind {
    header: "rules.NAME",
    component: None,
    summary: "Makes an alert when the events of a group come to what it says. Its alerts are read as `NAME`, those of all rules \
              as `rules`. Without one of the kinds below, each event that it is about is an alert.",
    shared: &[Fed::KEYS],
    keys: &[RuleKeys::KEYS, KindKeys::KEYS, OwnTimeKeys::KEYS],
};

table! {
    /// The keys that all rules share.
    struct RuleKeys {
        /// What the alert is called; rules of Sigma have their own.
        title: Option<String>,
        /// The identity of the rule, by which an alert that comes again is known. Absent: its name.
        id: Option<String>,
        /// How bad it is: "informational", "low", "medium", "high" or "critical".
        level: Level = "medium",
        /// What it is about.
        description: Option<String>,
        /// Who wrote it.
        author: Option<String>,
        /// Where to read more.
        references: Option<Vec<At<String>>>,
        /// Tags; those of MITRE ATT&CK, such as "attack.t1110", become `threat.*`.
        tags: Option<Vec<At<String>>>,
        /// Which events are meant. Absent: all.
        r#where: Option<WrittenCondition>,
        /// Fields by whose values events are put into groups, each with its own count. An event that lacks one is passed over
        /// and counted. Absent: all events are one group.
        by: Option<Vec<At<String>>>,
        /// How long a group is silent after an alert; of Sigma, that of a correlation. Absent: until what the rule says has
        /// ceased to hold.
        suppress: Option<Duration>,
        /// Groups that are remembered at once; of Sigma, by each correlation.
        max_keys: Integer<u32, 1, 2_000_000_000> = 100000,
        /// The dataset of the alerts, the middle of their data stream's name.
        dataset: DataStreamPart = "logweir.alerts",
        /// The namespace of the alerts, the end of their data stream's name.
        namespace: DataStreamPart = "default",
    }
}

impl Words for Level {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("informational", Self::Informational),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("critical", Self::Critical),
    ];
}

/// The source of the alerts of a section's rule; what is wrong goes to the decoder.
pub(crate) fn decode(
    name: &str,
    found: &Found<'_>,
    common: TimeLimits,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Source> {
    let (own, kind) = (RuleKeys::decode(found, decoder), KindKeys::decode(found, decoder));
    let time = OwnTimeKeys::decode(found, decoder);
    let ((own, kind), time) = own.zip(kind).zip(time)?;
    // Everything that is wrong is told, so all are looked at before the first that failed counts.
    let condition = own.r#where.map(|condition| condition.checked(keys, decoder).ok_or(()));
    let by = own.by.unwrap_or_default().into_iter();
    let by = by.map(|At { value, place }| Some((value.clone(), intern(&value, place, keys, decoder)?)));
    let by = by.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>();
    let (dataset, namespace) = (own.dataset.0, own.namespace.0);
    let source = |kind| Source {
        name: name.to_owned(),
        formats: vec![Format::Json.into()],
        parse_message: None,
        fields: ConstantSet::default(),
        dataset: Some(dataset),
        namespace,
        zone: Zone::UTC,
        keep_original: false,
        kind,
        settings: 0,
    };
    let times = time.over(common);
    let limits = Limits { max_keys: own.max_keys.0, suppress: own.suppress.map(nanos) };
    if let Some(written) = kind.sigma {
        let config = sigma::load(name, written, condition.transpose().ok()?, (times, limits), keys, decoder)?;
        return Some(source(SourceKind::Sigma(Box::new(config))));
    }
    let Some(title) = own.title else {
        decoder.report(
            Diagnostic::error(format!("{} has no `title`", found.name.value))
                .at(found.name.place, "expected `title = …` here, what its alerts are called"),
        );
        return None;
    };
    let kind = kind.checked(found.name.place, keys, decoder);
    let texts = |texts: Option<Vec<At<String>>>| {
        texts.unwrap_or_default().into_iter().map(|text| text.value).collect::<Vec<_>>()
    };
    let text = RuleText {
        title,
        id: own.id.unwrap_or_else(|| name.to_owned()),
        level: own.level,
        description: own.description,
        author: own.author,
        references: texts(own.references),
        tags: texts(own.tags),
    };
    let (kind, reads) = kind?;
    let config = RuleConfig {
        name: name.to_owned(),
        text,
        condition: condition.transpose().ok()?,
        by: by?,
        kind,
        reads,
        times,
        limits,
    };
    if let Err(error) = Rule::operator(config.clone()) {
        decoder.report(
            Diagnostic::error(format!("{}: {error}", found.name.value)).at(found.name.place, "in this rule"),
        );
        return None;
    }
    Some(source(SourceKind::Rule(Box::new(config))))
}
