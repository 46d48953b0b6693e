//! The second step: from TOML trees to a config that can run.
//!
//! Owns: [`Config`], in which every name is resolved and every limit applied.
//! Promises: gathers everything that is wrong in all files; a config that comes out can be wired without a question.
//! Never: starts anything.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::transform::Transform;
use toml::de::{DeTable, DeValue};

use super::decode::Decoder;
use super::error::{Diagnostic, Place};
use super::graph::{self, Node, Role, Way};
use super::nearest::nearest;
use super::outputs::{self, Output};
use super::raw::{ConfigFile, Entry, Located, Raw, parse_files};
use super::schema::SectionKind;
use super::section::{At, Section};
use super::settings::{ADMIN, Admin, DEAD_LETTER, DeadLetter, GLOBAL, Settings};
use super::sources::{self, Source};
use super::transforms;

/// Tables whose members are named components.
const COMPONENTS: &[&str] = &["sources", "transforms", "outputs"];
/// Tables that stand once.
const SINGLE: &[&SectionKind] = &[&ADMIN, &DEAD_LETTER];

/// A config that can run.
#[derive(Debug)]
pub(crate) struct Config {
    /// Settings of the process.
    pub(crate) settings: Settings,
    /// Where the admin interface listens.
    pub(crate) admin: Admin,
    /// Where refused events are kept.
    pub(crate) dead_letter: DeadLetter,
    /// The table of field names, with all that the config names.
    pub(crate) keys: Arc<Keys>,
    /// The sources.
    pub(crate) sources: Vec<Source>,
    /// The transforms.
    pub(crate) transforms: Vec<Arc<Transform>>,
    /// The outputs.
    pub(crate) outputs: Vec<Output>,
    /// The way of each source's events, in the order of the sources.
    pub(crate) ways: Vec<Way>,
}

impl Config {
    /// The sources whose events go somewhere; the others are not run.
    pub(crate) fn used_sources(&self) -> impl Iterator<Item = &Source> {
        self.routed_sources().map(|(source, _)| source)
    }

    /// The sources whose events go somewhere, and their ways.
    pub(crate) fn routed_sources(&self) -> impl Iterator<Item = (&Source, &Way)> {
        self.sources.iter().zip(&self.ways).filter(|(_, way)| !way.outputs.is_empty())
    }
}

/// Checks the files. Without a config there is at least one error.
pub(crate) fn check(
    files: &[ConfigFile],
    environment: &dyn Fn(&str) -> Option<String>,
) -> (Option<Config>, Vec<Diagnostic>) {
    let (trees, mut diagnostics) = parse_files(files);
    if !diagnostics.is_empty() {
        return (None, diagnostics);
    }
    let raw = Raw::merge(&trees, COMPONENTS, &mut diagnostics);
    let mut checker = Checker { decoder: Decoder::new(files, environment), nodes: Vec::new() };
    let config = checker.config(&raw);
    diagnostics.extend(checker.decoder.diagnostics);
    (config, diagnostics)
}

struct Checker<'a> {
    decoder: Decoder<'a>,
    nodes: Vec<Node>,
}

impl Checker<'_> {
    fn config(&mut self, raw: &Raw<'_>) -> Option<Config> {
        let global = self.global(raw);
        let admin = self.single(raw, &ADMIN);
        let dead_letter = self.single(raw, &DEAD_LETTER);
        let settings = Settings::from_section(&global);
        let keys = Keys::new(settings.as_ref().map_or(1024, |settings| settings.keys_max));
        let sources = self.sources(raw, &keys);
        let transforms = self.transforms(raw, &keys);
        let outputs = self.outputs(raw, &keys);
        if outputs.is_empty() && !self.nodes.iter().any(|node| node.role == Role::Output) {
            self.decoder.report(
                Diagnostic::error("the config has no output")
                    .help("add one, for example:\n[outputs.screen]\ntype = \"console\"\ninputs = [\"NAME OF A SOURCE\"]"),
            );
        }
        outputs::check_shared_files(&outputs, &mut self.decoder);
        let ways = graph::ways(&self.nodes, &mut self.decoder.diagnostics);
        let settings = settings?;
        Some(Config {
            admin: Admin::from_section(&admin)?,
            dead_letter: DeadLetter::from_section(&dead_letter, &settings.data_dir)?,
            settings,
            keys,
            sources,
            transforms,
            outputs,
            ways,
        })
    }

    /// The settings outside every table, and a word on tables that do not exist.
    fn global(&mut self, raw: &Raw<'_>) -> Section {
        let is_single = |entry: &Entry<'_>| SINGLE.iter().any(|kind| kind.header == entry.key.value);
        let mut settings = Vec::new();
        for entry in raw.settings.iter().filter(|entry| !is_single(entry)) {
            if COMPONENTS.contains(&entry.key.value) {
                self.not_a_table(entry);
            } else if let DeValue::Table(_) = entry.value.value {
                self.unknown_section(entry);
            } else {
                settings.push(*entry);
            }
        }
        let name = Located { value: "the config", place: Place::new(0, 0..0) };
        self.decoder.keys(name, &GLOBAL.all_keys().collect::<Vec<_>>(), &settings)
    }

    fn unknown_section(&mut self, entry: &Entry<'_>) {
        let singles = SINGLE.iter().map(|kind| kind.header);
        let names = COMPONENTS.iter().copied().chain(singles);
        let label = match nearest(entry.key.value, names.clone()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "no such section".to_owned(),
        };
        let known = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        self.decoder.report(
            Diagnostic::error(format!("unknown section `{}`", entry.key.value))
                .at(entry.key.place, label)
                .help(format!("the sections are {known}")),
        );
    }

    fn not_a_table(&mut self, entry: &Entry<'_>) {
        self.decoder.report(
            Diagnostic::error(format!("`{}` is not a section", entry.key.value))
                .at(entry.key.place, "expected a table, such as [sources.web]"),
        );
    }

    /// A section that stands once; all defaults when it is absent.
    fn single(&mut self, raw: &Raw<'_>, kind: &SectionKind) -> Section {
        let empty = DeTable::new();
        let entry = raw.settings.iter().find(|entry| entry.key.value == kind.header);
        let name = format!("[{}]", kind.header);
        match entry.map(|entry| (entry, entry.value.value)) {
            Some((entry, DeValue::Table(table))) => {
                self.decoder.section(Located { value: &name, place: entry.key.place }, kind, table)
            }
            other => {
                if let Some((entry, _)) = other {
                    self.not_a_table(entry);
                }
                let nowhere = Located { value: name.as_str(), place: Place::new(0, 0..0) };
                self.decoder.section(nowhere, kind, &empty)
            }
        }
    }

    fn sources(&mut self, raw: &Raw<'_>, keys: &Arc<Keys>) -> Vec<Source> {
        let mut found = Vec::new();
        for entry in raw.components.get("sources").into_iter().flatten() {
            self.node(Role::Source, entry, None);
            if let Some((component, section)) = self.component(entry, sources::KINDS, "sources") {
                found.extend(sources::from_section(
                    entry.key.value,
                    component,
                    &section,
                    keys,
                    &mut self.decoder,
                ));
            }
        }
        found
    }

    fn transforms(&mut self, raw: &Raw<'_>, keys: &Arc<Keys>) -> Vec<Arc<Transform>> {
        let mut found = Vec::new();
        for entry in raw.components.get("transforms").into_iter().flatten() {
            let DeValue::Table(table) = entry.value.value else {
                self.not_a_table(entry);
                continue;
            };
            let name = format!("[transforms.{}]", entry.key.value);
            let name = Located { value: name.as_str(), place: entry.key.place };
            let section = self.decoder.section(name, &transforms::TRANSFORM, table);
            self.node(Role::Transform, entry, Some(&section));
            let transform = transforms::from_section(entry.key.value, &section, keys, &mut self.decoder);
            found.extend(transform.map(Arc::new));
        }
        found
    }

    fn outputs(&mut self, raw: &Raw<'_>, keys: &Arc<Keys>) -> Vec<Output> {
        let mut found = Vec::new();
        for entry in raw.components.get("outputs").into_iter().flatten() {
            let decoded = self.component(entry, outputs::KINDS, "outputs");
            self.node(Role::Output, entry, decoded.as_ref().map(|(_, section)| section));
            if let Some((component, section)) = decoded {
                found.extend(outputs::from_section(
                    entry.key.value,
                    component,
                    &section,
                    keys,
                    &mut self.decoder,
                ));
            }
        }
        found
    }

    fn node(&mut self, role: Role, entry: &Entry<'_>, section: Option<&Section>) {
        let name = At { value: entry.key.value.to_owned(), place: entry.key.place };
        let inputs = section.and_then(|section| section.texts("inputs")).unwrap_or_default();
        self.nodes.push(Node { role, name, inputs });
    }

    /// Decodes a section by the kind that its `type` names.
    fn component(
        &mut self,
        entry: &Entry<'_>,
        kinds: &'static [SectionKind],
        parent: &str,
    ) -> Option<(&'static str, Section)> {
        let DeValue::Table(table) = entry.value.value else {
            self.not_a_table(entry);
            return None;
        };
        let header = format!("[{parent}.{}]", entry.key.value);
        let name = Located { value: header.as_str(), place: entry.key.place };
        let names = kinds.iter().filter_map(|kind| kind.component);
        let wanted = table.get("type");
        let Some(DeValue::String(component)) = wanted.map(toml::Spanned::get_ref) else {
            let place = wanted.map_or(name.place, |wanted| Place::new(name.place.file, wanted.span()));
            let known = names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            self.decoder.report(
                Diagnostic::error(format!("{header} has no type"))
                    .at(place, format!("expected `type = …` here, one of {known}")),
            );
            return None;
        };
        match kinds.iter().find(|kind| kind.component == Some(component.as_ref())) {
            Some(kind) => Some((kind.component?, self.decoder.section(name, kind, table))),
            None => {
                let place = wanted.map_or(name.place, |wanted| Place::new(name.place.file, wanted.span()));
                let label = match nearest(component, names.clone()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "no such type".to_owned(),
                };
                let known = names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
                self.decoder.report(
                    Diagnostic::error(format!("unknown type \"{component}\" of {header}"))
                        .at(place, label)
                        .help(format!("the types are {known}")),
                );
                None
            }
        }
    }
}
