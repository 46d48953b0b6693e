//! Who feeds whom.
//!
//! Owns: resolving `inputs` to ways: for each source, the transforms its events pass and the outputs they reach.
//! Promises: every name in `inputs` exists, nothing goes in a circle, and what goes nowhere is told.
//! Never: moves an event.

use super::error::{Diagnostic, Place, Severity};
use super::nearest::suggest;
use super::value::At;

/// What a component does with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads them.
    Source,
    /// Changes them.
    Transform,
    /// Writes them.
    Output,
}

/// One component and what feeds it.
#[derive(Debug)]
pub(crate) struct Node {
    /// What it does.
    pub(crate) role: Role,
    /// Its name and where it stands.
    pub(crate) name: At<String>,
    /// Names of what feeds it; none for a source.
    pub(crate) inputs: Vec<At<String>>,
}

/// The way of events from one point on, by names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The outputs that take them here.
    pub(crate) outputs: Vec<String>,
    /// The transforms that take them here, and the way behind each.
    pub(crate) branches: Vec<(String, Way)>,
}

impl Way {
    /// Whether some output takes the events.
    pub(crate) fn leads_somewhere(&self) -> bool {
        !self.outputs.is_empty() || self.branches.iter().any(|(_, way)| way.leads_somewhere())
    }
}

/// Checks the names and that there is something to do, and finds each source's way, in the order of the sources.
pub(crate) fn ways(nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Vec<Way> {
    check_names(nodes, diagnostics);
    check_inputs(nodes, diagnostics);
    check_circles(nodes, diagnostics);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Vec::new();
    }
    warn_of_unused(nodes, diagnostics);
    let sources = nodes.iter().filter(|node| node.role == Role::Source);
    sources.map(|source| way_of(source, nodes, diagnostics)).collect()
}

fn check_names(nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) {
    for (index, node) in nodes.iter().enumerate() {
        let name = &node.name;
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        if name.value.is_empty() || !name.value.chars().all(is_name) {
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
                    .help("sources, transforms and outputs share one set of names, because `inputs` goes by name"),
            );
        }
    }
}

fn check_inputs(nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) {
    for input in nodes.iter().flat_map(|node| &node.inputs) {
        match find(nodes, &input.value).map(|node| node.role) {
            Some(Role::Source | Role::Transform) => {}
            Some(Role::Output) => diagnostics.push(
                Diagnostic::error(format!("`{}` is an output", input.value))
                    .at(input.place, "expected the name of a source or transform"),
            ),
            None => {
                let readable = nodes.iter().filter(|node| node.role != Role::Output);
                let names = readable.map(|node| node.name.value.as_str());
                let (label, known) =
                    suggest(&input.value, names, "expected the name of a source or transform");
                let mut diagnostic =
                    Diagnostic::error(format!("nothing is called `{}`", input.value)).at(input.place, label);
                if !known.is_empty() {
                    diagnostic = diagnostic.help(format!("there are {known}"));
                }
                diagnostics.push(diagnostic);
            }
        }
    }
}

/// Finds transforms that feed themselves. Each circle is told once, at the input that closes it.
fn check_circles(nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) {
    let mut told = Vec::<Vec<&str>>::new();
    for node in nodes.iter().filter(|node| node.role == Role::Transform) {
        let Some((circle, place)) = circle_from(node, nodes) else {
            continue;
        };
        let mut members = circle.clone();
        members.sort_unstable();
        members.dedup();
        if !told.contains(&members) {
            diagnostics.push(
                Diagnostic::error(format!("events would go in a circle: {}", circle.join(" → ")))
                    .at(place, "expected an input that does not come from here"),
            );
            told.push(members);
        }
    }
}

/// The shortest way from a transform back to itself: the names, and the place of the input that closes it.
fn circle_from<'a>(start: &'a Node, nodes: &'a [Node]) -> Option<(Vec<&'a str>, Place)> {
    let mut seen = vec![start.name.value.as_str()];
    let mut ways = std::collections::VecDeque::from([vec![start]]);
    while let Some(way) = ways.pop_front() {
        let node = way.last()?;
        for input in &node.inputs {
            if input.value == start.name.value {
                let mut circle = way.iter().rev().map(|node| node.name.value.as_str()).collect::<Vec<_>>();
                circle.insert(0, &start.name.value);
                return Some((circle, input.place));
            }
            if !seen.contains(&input.value.as_str()) {
                seen.push(&input.value);
                if let Some(next) = find(nodes, &input.value) {
                    ways.push_back(way.iter().copied().chain([next]).collect());
                }
            }
        }
    }
    None
}

fn warn_of_unused(nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) {
    for node in nodes.iter().filter(|node| node.role != Role::Output) {
        let mut inputs = nodes.iter().flat_map(|other| &other.inputs);
        if !inputs.any(|input| input.value == node.name.value) {
            diagnostics.push(
                Diagnostic::warning(format!("nothing takes the events of `{}`", node.name.value))
                    .at(node.name.place, "it is not run")
                    .help(format!("write `{}` into the `inputs` of an output or transform", node.name.value)),
            );
        }
    }
}

/// The way of a source's events. They may branch, but no two branches may meet again in an output: it would get
/// each event twice.
fn way_of(source: &Node, nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Way {
    let outputs = nodes.iter().filter(|node| node.role == Role::Output);
    let twice = outputs.filter(|output| ways_between(source, output, nodes) > 1).collect::<Vec<_>>();
    for output in &twice {
        let arriving = output.inputs.iter().filter(|input| {
            find(nodes, &input.value).is_some_and(|node| ways_between(source, node, nodes) > 0)
        });
        let name = &output.name.value;
        let mut diagnostic =
            Diagnostic::error(format!("`{name}` would get the events of `{}` twice", source.name.value));
        for (index, input) in arriving.enumerate() {
            diagnostic =
                diagnostic.at(input.place, if index == 0 { "on this way" } else { "and on this way" });
        }
        diagnostics.push(
            diagnostic
                .at(source.name.place, "this source")
                .help("let the events of a source reach an output on one way"),
        );
    }
    if twice.is_empty() { way_behind(source, nodes) } else { Way::default() }
}

/// On how many ways events go from one node to another; many are as bad as a few.
fn ways_between(from: &Node, to: &Node, nodes: &[Node]) -> u8 {
    let mut counts = vec![None; nodes.len()];
    count_ways(from, to, nodes, &mut counts)
}

/// The same, counting each node once.
fn count_ways(from: &Node, to: &Node, nodes: &[Node], counts: &mut [Option<u8>]) -> u8 {
    if std::ptr::eq(from, to) {
        return 1;
    }
    let Some(number) = nodes.iter().position(|node| std::ptr::eq(node, to)) else { return 0 };
    if let Some(count) = counts[number] {
        return count;
    }
    let inputs = to.inputs.iter().filter_map(|input| find(nodes, &input.value));
    let count = inputs.fold(0_u8, |sum, input| sum.saturating_add(count_ways(from, input, nodes, counts)));
    counts[number] = Some(count);
    count
}

/// The way of the events that come out of a node. No branches meet, so it has each node once at most.
fn way_behind(node: &Node, nodes: &[Node]) -> Way {
    let mut way = Way::default();
    let takes = |other: &&Node| other.inputs.iter().any(|input| input.value == node.name.value);
    for taker in nodes.iter().filter(takes) {
        match taker.role {
            Role::Output => way.outputs.push(taker.name.value.clone()),
            _ => {
                let behind = way_behind(taker, nodes);
                if behind.leads_somewhere() {
                    way.branches.push((taker.name.value.clone(), behind));
                }
            }
        }
    }
    way
}

fn find<'a>(nodes: &'a [Node], name: &str) -> Option<&'a Node> {
    nodes.iter().find(|node| node.name.value == name)
}
