//! The second step: from TOML trees to a config that can run.
//!
//! Owns: [`Config`], in which every name is resolved and every limit applied.
//! Promises: gathers everything that is wrong in all files; a config that comes out can be wired without a question.
//! Never: starts anything.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::parse::OwnFormat;
use logweir_pipeline::router::{Route, RouteMode};
use logweir_pipeline::transform::Transform;
use logweir_pipeline::watermark::TimeLimits;
use toml::de::{DeTable, DeValue};

use super::aggregates::{self, AGGREGATE};
use super::cases::{self, TestCase};
use super::component::{Component, Fed, describe_types, types};
use super::decode::{Decoder, Found};
use super::error::{Diagnostic, Place};
use super::fingerprint::fingerprint;
use super::formats;
use super::graph::{Graph, Node, Role};
use super::leftovers::{self, Redaction};
use super::nearest::suggest;
use super::outputs::{self, Output};
use super::raw::{ConfigFile, Entry, Located, Raw, parse_files};
use super::routes;
use super::rules::{self, RULE};
use super::schema::{SectionKind, Table};
use super::settings::{ADMIN, Admin, DEAD_LETTER, DeadLetter, GLOBAL, Settings};
use super::sources::{self, Source};
use super::time::{self, TIME};
#[cfg(feature = "kafka")]
use super::transactions;
use super::transforms::{self, TRANSFORM};
use super::value::At;
use super::ways::{self, Way};

/// Tables whose members are named components.
const COMPONENTS: &[&str] = &["formats", "sources", "transforms", "routes", "aggregates", "rules", "outputs"];
/// Tables that stand once.
const SINGLE: &[&SectionKind] = &[&ADMIN, &TIME, &DEAD_LETTER];

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
    /// The formats that it has itself.
    pub(crate) formats: Vec<Arc<OwnFormat>>,
    /// The sources, then the results of the aggregates and the alerts of the rules.
    pub(crate) sources: Vec<Source>,
    /// The transforms.
    pub(crate) transforms: Vec<Arc<Transform>>,
    /// The routes.
    pub(crate) routes: Vec<Arc<Route>>,
    /// The outputs.
    pub(crate) outputs: Vec<Output>,
    /// The way of each source's events, in the order of the sources.
    pub(crate) ways: Vec<Way>,
    /// What the config says is to become of certain lines.
    pub(crate) tests: Vec<TestCase>,
}

impl Config {
    /// The sources whose events go somewhere; the others are not run.
    pub(crate) fn used_sources(&self) -> impl Iterator<Item = &Source> {
        self.routed_sources().map(|(source, _)| source)
    }

    /// The sources whose events go somewhere, and their ways.
    pub(crate) fn routed_sources(&self) -> impl Iterator<Item = (&Source, &Way)> {
        self.sources.iter().zip(&self.ways).filter(|(_, way)| way.leads_somewhere())
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
    let mut checker =
        Checker { decoder: Decoder::new(files, environment), nodes: Vec::new(), redactions: BTreeMap::new() };
    let config = checker.config(&raw);
    diagnostics.extend(checker.decoder.diagnostics);
    (config, diagnostics)
}

/// From a section to what makes events of others.
type DecodeMade = fn(&str, &Found<'_>, TimeLimits, &Arc<Keys>, &mut Decoder<'_>) -> Option<Source>;

struct Checker<'a> {
    decoder: Decoder<'a>,
    nodes: Vec<Node>,
    /// What transforms do about secrets, by their names.
    redactions: BTreeMap<String, Redaction>,
}

impl Checker<'_> {
    fn config(&mut self, raw: &Raw<'_>) -> Option<Config> {
        let settings = self.global(raw);
        let admin = self.single(raw, &ADMIN, Admin::decode);
        let data_dir = settings.as_ref().map_or(Path::new(""), |settings| &settings.data_dir);
        let dead_letter =
            self.single(raw, &DEAD_LETTER, |found, decoder| DeadLetter::decode(found, data_dir, decoder));
        let keys = Keys::new(settings.as_ref().map_or(1024, |settings| settings.keys_max));
        self.formats(raw, &keys);
        let time = self.single(raw, &TIME, time::decode).unwrap_or_default();
        let mut sources = self.sources(raw, &keys);
        let transforms = self.transforms(raw, &keys);
        let routes = self.routes(raw, &keys);
        sources.extend(self.made("aggregates", Role::Aggregate, raw, time, &keys));
        sources.extend(self.made("rules", Role::Rule, raw, time, &keys));
        let outputs = self.outputs(raw, &keys);
        self.decoder.formats.warn_of_unused(&mut self.decoder.diagnostics);
        if outputs.is_empty() && !self.nodes.iter().any(|node| node.role == Role::Output) {
            self.decoder.report(
                Diagnostic::error("the config has no output")
                    .help("add one, for example:\n[outputs.screen]\ntype = \"console\"\ninputs = [\"NAME OF A SOURCE\"]"),
            );
        }
        outputs::check_shared_files(&outputs, &mut self.decoder);
        let tests = self.tests(raw);
        let graph = Graph::new(&self.nodes, &mut self.decoder.diagnostics);
        let ways = ways::ways(&graph, &mut self.decoder.diagnostics);
        #[cfg(feature = "kafka")]
        transactions::check(&sources, &ways, &outputs, &mut self.decoder.diagnostics);
        leftovers::warn(&sources, &ways, &self.redactions, &outputs, &mut self.decoder.diagnostics);
        Some(Config {
            settings: settings?,
            admin: admin?,
            dead_letter: dead_letter?,
            keys,
            formats: self.decoder.formats.compiled().cloned().collect(),
            sources,
            transforms,
            routes,
            outputs,
            ways,
            tests,
        })
    }

    /// The settings outside every table, and a word on tables that do not exist.
    fn global(&mut self, raw: &Raw<'_>) -> Option<Settings> {
        let is_single = |entry: &Entry<'_>| SINGLE.iter().any(|kind| kind.header == entry.key.value);
        let mut entries = Vec::new();
        for entry in raw.settings.iter().filter(|entry| !is_single(entry)) {
            if COMPONENTS.contains(&entry.key.value) {
                self.not_a_table(entry);
            } else if let DeValue::Table(_) = entry.value.value {
                self.unknown_section(entry);
            } else {
                entries.push(*entry);
            }
        }
        let name = Located { value: "the config", place: Place::new(0, 0..0) };
        let found = Found { name, entries };
        self.decoder.refuse_unknown(&found, GLOBAL.all_keys());
        Settings::decode(&found, &mut self.decoder)
    }

    fn unknown_section(&mut self, entry: &Entry<'_>) {
        let singles = SINGLE.iter().map(|kind| kind.header);
        let names = COMPONENTS.iter().copied().chain(singles);
        let (label, known) = suggest(entry.key.value, names, "no such section");
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
    fn single<T>(
        &mut self,
        raw: &Raw<'_>,
        kind: &SectionKind,
        decode: impl FnOnce(&Found<'_>, &mut Decoder<'_>) -> Option<T>,
    ) -> Option<T> {
        let header = format!("[{}]", kind.header);
        let mut name = Located { value: header.as_str(), place: Place::new(0, 0..0) };
        let empty = DeTable::new();
        let mut table = &empty;
        if let Some(entry) = raw.settings.iter().find(|entry| entry.key.value == kind.header) {
            name.place = entry.key.place;
            table = self.table(entry).unwrap_or(&empty);
        }
        let found = Found::new(name, table);
        self.decoder.refuse_unknown(&found, kind.all_keys());
        decode(&found, &mut self.decoder)
    }

    fn formats(&mut self, raw: &Raw<'_>, keys: &Arc<Keys>) {
        for entry in raw.components.get("formats").into_iter().flatten() {
            let Some(table) = self.table(entry) else { continue };
            let name = format!("[formats.{}]", entry.key.value);
            let found = Found::new(Located { value: &name, place: entry.key.place }, table);
            let format = formats::decode(entry.key.value, &found, keys, &mut self.decoder);
            self.decoder.formats.add(entry.key, format, &mut self.decoder.diagnostics);
        }
    }

    fn sources(&mut self, raw: &Raw<'_>, keys: &Arc<Keys>) -> Vec<Source> {
        let mut sources = Vec::new();
        for entry in raw.components.get("sources").into_iter().flatten() {
            self.node(Role::Source, entry, Vec::new());
            let header = format!("[sources.{}]", entry.key.value);
            if let Some((component, found)) = self.component(entry, &header, sources::KINDS) {
                let name = entry.key.value;
                sources.extend(sources::decode(name, component, &found, keys, &mut self.decoder));
            }
        }
        sources
    }

    fn transforms(&mut self, raw: &Raw<'_>, keys: &Arc<Keys>) -> Vec<Arc<Transform>> {
        let mut transforms = Vec::new();
        for entry in raw.components.get("transforms").into_iter().flatten() {
            let Some(table) = self.table(entry) else { continue };
            let name = format!("[transforms.{}]", entry.key.value);
            let found = Found::new(Located { value: &name, place: entry.key.place }, table);
            self.decoder.refuse_unknown(&found, TRANSFORM.all_keys());
            self.fed_node(Role::Transform, entry, &found);
            let name = entry.key.value;
            if let Some((transform, redaction)) = transforms::decode(name, &found, keys, &mut self.decoder) {
                transforms.push(Arc::new(transform));
                self.redactions.insert(name.to_owned(), redaction);
            }
        }
        transforms
    }

    fn routes(&mut self, raw: &Raw<'_>, keys: &Arc<Keys>) -> Vec<Arc<Route>> {
        let mut routes = Vec::new();
        for (number, entry) in raw.components.get("routes").into_iter().flatten().enumerate() {
            let Some(table) = self.table(entry) else { continue };
            let name = format!("[routes.{}]", entry.key.value);
            let found = Found::new(Located { value: &name, place: entry.key.place }, table);
            let (route, mode, ports) =
                routes::decode(entry.key.value, number, &found, keys, &mut self.decoder);
            let role = if mode == RouteMode::First { Role::FirstMatch } else { Role::AllMatches };
            self.fed_node(role, entry, &found);
            self.nodes.last_mut().into_iter().for_each(|node| node.ports.clone_from(&ports));
            routes.extend(route.map(Arc::new));
        }
        routes
    }

    /// The aggregates, or the rules.
    fn made(
        &mut self,
        sections: &str,
        role: Role,
        raw: &Raw<'_>,
        time: TimeLimits,
        keys: &Arc<Keys>,
    ) -> Vec<Source> {
        let (kind, decode): (_, DecodeMade) = match role {
            Role::Rule => (&RULE, rules::decode),
            _ => (&AGGREGATE, aggregates::decode),
        };
        let mut made = Vec::new();
        for entry in raw.components.get(sections).into_iter().flatten() {
            let Some(table) = self.table(entry) else { continue };
            let name = format!("[{sections}.{}]", entry.key.value);
            let found = Found::new(Located { value: &name, place: entry.key.place }, table);
            self.decoder.refuse_unknown(&found, kind.all_keys());
            self.fed_node(role, entry, &found);
            let source = decode(entry.key.value, &found, time, keys, &mut self.decoder);
            made.extend(source.map(|source| Source { settings: fingerprint(&found, time), ..source }));
        }
        made
    }

    fn outputs(&mut self, raw: &Raw<'_>, keys: &Arc<Keys>) -> Vec<Output> {
        let mut outputs = Vec::new();
        for entry in raw.components.get("outputs").into_iter().flatten() {
            let header = format!("[outputs.{}]", entry.key.value);
            let Some((component, found)) = self.component(entry, &header, outputs::KINDS) else {
                self.node(Role::Output, entry, Vec::new());
                continue;
            };
            self.fed_node(Role::Output, entry, &found);
            let name = entry.key.value;
            outputs.extend(outputs::decode(name, component, &found, keys, &mut self.decoder));
        }
        outputs
    }

    fn tests(&mut self, raw: &Raw<'_>) -> Vec<TestCase> {
        let sources = self.nodes.iter().filter(|node| node.role == Role::Source);
        let sources = sources.map(|node| node.name.value.as_str());
        let is_route = |node: &&Node| matches!(node.role, Role::FirstMatch | Role::AllMatches);
        let ports = self.nodes.iter().filter(is_route).flat_map(|node| &node.ports).map(String::as_str);
        let mut tests = Vec::new();
        for test in &raw.tests {
            let name = Located { value: "[[tests]]", place: test.place };
            match test.value {
                DeValue::Table(table) => {
                    let found = Found::new(name, table);
                    tests.extend(cases::decode(&found, sources.clone(), ports.clone(), &mut self.decoder));
                }
                _ => self.decoder.report(
                    Diagnostic::error("`tests` is a list of tables").at(test.place, "expected [[tests]]"),
                ),
            }
        }
        tests
    }

    fn node(&mut self, role: Role, entry: &Entry<'_>, inputs: Vec<At<String>>) {
        let name = At { value: entry.key.value.to_owned(), place: entry.key.place };
        let ports = if role == Role::Output { Vec::new() } else { vec![name.value.clone()] };
        self.nodes.push(Node { role, name, inputs, ports });
    }

    /// Notes a component with its inputs, which are decoded even when its other keys are wrong.
    fn fed_node(&mut self, role: Role, entry: &Entry<'_>, found: &Found<'_>) {
        let fed = Fed::decode(found, &mut self.decoder);
        let inputs = fed.map(|fed| fed.inputs).unwrap_or_default();
        self.node(role, entry, inputs.into_iter().map(|input| input.0).collect());
    }

    /// The table of a section.
    fn table<'e>(&mut self, entry: &Entry<'e>) -> Option<&'e DeTable<'e>> {
        match entry.value.value {
            DeValue::Table(table) => Some(table),
            _ => {
                self.not_a_table(entry);
                None
            }
        }
    }

    /// Finds the kind that a section's `type` names.
    fn component<'e, T>(
        &mut self,
        entry: &Entry<'e>,
        header: &'e str,
        kinds: &'static [Component<T>],
    ) -> Option<(&'static Component<T>, Found<'e>)> {
        let table = self.table(entry)?;
        let name = Located { value: header, place: entry.key.place };
        let wanted = table.get("type");
        let place = wanted.map_or(name.place, |wanted| Place::new(name.place.file, wanted.span()));
        let Some(DeValue::String(wanted)) = wanted.map(toml::Spanned::get_ref) else {
            let expected = describe_types(kinds).expected;
            self.decoder.report(
                Diagnostic::error(format!("{header} has no type"))
                    .at(place, format!("expected `type = …` here, {expected}")),
            );
            return None;
        };
        let Some(kind) = kinds.iter().find(|kind| kind.section.component == Some(wanted.as_ref())) else {
            let (label, known) = suggest(wanted, types(kinds), "no such type");
            self.decoder.report(
                Diagnostic::error(format!("unknown type `{wanted}` of {header}"))
                    .at(place, label)
                    .help(format!("the types are {known}")),
            );
            return None;
        };
        let found = Found::new(name, table);
        self.decoder.refuse_unknown(&found, kind.section.all_keys());
        Some((kind, found))
    }
}
