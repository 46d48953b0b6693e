//! Who feeds whom.
//!
//! Owns: [`Graph`], in which every name in `inputs` is resolved to what it reads.
//! Promises: every such name exists, and nothing goes in a circle.
//! Never: moves an event.

use std::collections::VecDeque;

use globset::{Glob, GlobMatcher};

use super::error::{Diagnostic, Place};
use super::nearest::suggest;
use super::value::At;

/// What a component does with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads them.
    Source,
    /// Changes them.
    Transform,
    /// Sends each to the first of its ports that takes it.
    FirstMatch,
    /// Sends each to every port that takes it.
    AllMatches,
    /// Makes others of many of them.
    Aggregate,
    /// Makes alerts of some of them.
    Rule,
    /// Writes them.
    Output,
}

impl Role {
    /// Whether events begin here.
    pub(super) fn begins(self) -> bool {
        matches!(self, Self::Source | Self::Aggregate | Self::Rule)
    }

    /// Whether events end here.
    pub(super) fn ends(self) -> bool {
        matches!(self, Self::Aggregate | Self::Rule | Self::Output)
    }
}

/// One component and what feeds it.
#[derive(Debug)]
pub(crate) struct Node {
    /// What it does.
    pub(crate) role: Role,
    /// Its name and where it stands.
    pub(crate) name: At<String>,
    /// What it reads, by name or pattern; nothing for a source.
    pub(crate) inputs: Vec<At<String>>,
    /// The names by which its events are read: its own, or one for each port of a route.
    pub(crate) ports: Vec<String>,
}

/// A place where events come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// The node, by its place in the list.
    pub(super) node: usize,
    /// Which of its ports.
    pub(super) port: usize,
}

/// What feeds a node, and the place of the input that says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feed {
    pub(super) from: Point,
    pub(super) place: Place,
}

/// All components, and what feeds each.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) feeds: Vec<Vec<Feed>>,
}

impl<'a> Graph<'a> {
    /// Resolves the inputs; what is wrong is told.
    pub(crate) fn new(nodes: &'a [Node], diagnostics: &mut Vec<Diagnostic>) -> Self {
        check_names(nodes, diagnostics);
        let feeds = (0..nodes.len()).map(|number| feeds_of(number, nodes, diagnostics)).collect();
        let graph = Self { nodes, feeds };
        graph.check_circles(diagnostics);
        graph
    }

    /// The nodes that read a point, in the order of the config.
    pub(super) fn takers(&self, point: Point) -> impl Iterator<Item = usize> {
        let takes = move |feeds: &Vec<Feed>| feeds.iter().any(|feed| feed.from == point);
        self.feeds.iter().enumerate().filter(move |(_, feeds)| takes(feeds)).map(|(number, _)| number)
    }

    /// Finds nodes that feed themselves. Each circle is told once, at the input that closes it.
    fn check_circles(&self, diagnostics: &mut Vec<Diagnostic>) {
        let mut told = Vec::<Vec<usize>>::new();
        for number in 0..self.nodes.len() {
            let Some((circle, place)) = self.circle_from(number) else { continue };
            let mut members = circle.clone();
            members.sort_unstable();
            members.dedup();
            if !told.contains(&members) {
                let names = circle.iter().map(|&number| self.nodes[number].name.value.as_str());
                let names = names.collect::<Vec<_>>().join(" → ");
                diagnostics.push(
                    Diagnostic::error(format!("events would go in a circle: {names}"))
                        .at(place, "expected an input that does not come from here"),
                );
                told.push(members);
            }
        }
    }

    /// The shortest way from a node back to itself, and the place of the input that closes it.
    fn circle_from(&self, start: usize) -> Option<(Vec<usize>, Place)> {
        let mut seen = vec![start];
        let mut ways = VecDeque::from([vec![start]]);
        while let Some(way) = ways.pop_front() {
            for feed in &self.feeds[*way.last()?] {
                let from = feed.from.node;
                if from == start {
                    let circle = [start].into_iter().chain(way.iter().rev().copied());
                    return Some((circle.collect(), feed.place));
                }
                if !seen.contains(&from) {
                    seen.push(from);
                    ways.push_back(way.iter().copied().chain([from]).collect());
                }
            }
        }
        None
    }
}

fn check_names(nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) {
    for (index, node) in nodes.iter().enumerate() {
        let name = &node.name;
        if !is_name(&name.value) {
            diagnostics.push(
                Diagnostic::error(format!("`{}` cannot be the name of a component", name.value))
                    .at(name.place, "expected letters, digits, `_` and `-`"),
            );
        }
        if let Some(other) = nodes[..index].iter().find(|other| other.name.value == name.value) {
            diagnostics.push(
                Diagnostic::error(format!("two components are called `{}`", name.value))
                    .at(name.place, "expected another name")
                    .at(other.name.place, "the first one")
                    .help("sources, transforms, routes, aggregates, rules and outputs share one set of names, because `inputs` goes by name"),
            );
        }
    }
}

/// Whether a component or a port of a route may be called so.
pub(super) fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    !name.is_empty() && name.chars().all(is_letter)
}

/// What feeds a node: each point once, by the first input that names it.
fn feeds_of(number: usize, nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Vec<Feed> {
    let mut feeds = Vec::<Feed>::new();
    for input in &nodes[number].inputs {
        let points = match pattern(&input.value) {
            Some(pattern) => points(nodes, |name| pattern.is_match(name))
                .into_iter()
                .filter(|point| point.node != number)
                .collect(),
            None if is_all_rules(&input.value, nodes) => points_of_rules(number, nodes),
            None => points(nodes, |name| name == input.value),
        };
        if points.is_empty() {
            diagnostics.push(nothing_to_read(input, nodes));
        }
        for from in points {
            if !feeds.iter().any(|feed| feed.from == from) {
                feeds.push(Feed { from, place: input.place });
            }
        }
    }
    feeds
}

/// The alerts of every rule.
const RULES: &str = "rules";

/// Whether the input means all rules: it is called so, there are some, and nothing else is.
fn is_all_rules(input: &str, nodes: &[Node]) -> bool {
    let is_name = nodes.iter().any(|node| node.name.value == RULES);
    input == RULES && !is_name && nodes.iter().any(|node| node.role == Role::Rule)
}

/// The alerts of all rules but this node, which may be one itself.
fn points_of_rules(number: usize, nodes: &[Node]) -> Vec<Point> {
    let rules = nodes.iter().enumerate().filter(|(node, rule)| *node != number && rule.role == Role::Rule);
    rules.map(|(node, _)| Point { node, port: 0 }).collect()
}

/// The points whose names are wanted.
fn points(nodes: &[Node], is_wanted: impl Fn(&str) -> bool) -> Vec<Point> {
    let mut points = Vec::new();
    for (node, Node { ports, .. }) in nodes.iter().enumerate() {
        let wanted = ports.iter().enumerate().filter(|(_, name)| is_wanted(name));
        points.extend(wanted.map(|(port, _)| Point { node, port }));
    }
    points
}

/// The pattern of an input that is one.
fn pattern(input: &str) -> Option<GlobMatcher> {
    input
        .contains(['*', '?', '[', '{'])
        .then(|| Glob::new(input).ok())
        .flatten()
        .map(|glob| glob.compile_matcher())
}

/// Says that an input reads nothing, and what there is to read.
fn nothing_to_read(input: &At<String>, nodes: &[Node]) -> Diagnostic {
    const EXPECTED: &str =
        "expected the name of a source, a transform, an aggregate, a rule, or a port of a route";
    let known =
        |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nodes.iter().find(|node| node.name.value == input.value) {
        Some(node) if node.role == Role::Output => {
            Diagnostic::error(format!("`{}` is an output", input.value)).at(input.place, EXPECTED)
        }
        Some(node) => {
            let ports = known(node.ports.iter().map(String::as_str).collect());
            Diagnostic::error(format!("`{}` is a route", input.value))
                .at(input.place, "expected one of its ports")
                .help(format!("there are {ports}"))
        }
        None => {
            let names = nodes.iter().flat_map(|node| &node.ports).map(String::as_str);
            let (label, known) = suggest(&input.value, names, EXPECTED);
            let diagnostic =
                Diagnostic::error(format!("nothing is called `{}`", input.value)).at(input.place, label);
            if known.is_empty() { diagnostic } else { diagnostic.help(format!("there are {known}")) }
        }
    }
}
