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

/// The way of one source's events, by names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The transforms, in order.
    pub(crate) transforms: Vec<String>,
    /// The outputs.
    pub(crate) outputs: Vec<String>,
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

/// The way of a source's events. They go one way: a batch is changed in place, so no output can have it as it was
/// before a transform that another output wants it to have passed.
fn way_of(source: &Node, nodes: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Way {
    let mut way = Way::default();
    for output in nodes.iter().filter(|node| node.role == Role::Output) {
        for (transforms, place) in paths(source, output, nodes) {
            if way.outputs.is_empty() {
                way.transforms = transforms;
            } else if way.transforms != transforms || way.outputs.contains(&output.name.value) {
                diagnostics.push(
                    Diagnostic::error(format!("the events of `{}` would go two ways", source.name.value))
                        .at(
                            place,
                            format!("`{}` takes them another way than the outputs before", output.name.value),
                        )
                        .at(source.name.place, "this source")
                        .help("let all outputs of one source take its events after the same transforms"),
                );
                continue;
            }
            way.outputs.push(output.name.value.clone());
        }
    }
    way
}

/// Every way from the source to this node: the transforms in order, and the place of the node's input.
fn paths(source: &Node, node: &Node, nodes: &[Node]) -> Vec<(Vec<String>, Place)> {
    let mut found = Vec::new();
    for input in &node.inputs {
        if input.value == source.name.value {
            found.push((Vec::new(), input.place));
        } else if let Some(transform) = find(nodes, &input.value) {
            for (mut transforms, _) in paths(source, transform, nodes) {
                transforms.push(input.value.clone());
                found.push((transforms, input.place));
            }
        }
    }
    found
}

fn find<'a>(nodes: &'a [Node], name: &str) -> Option<&'a Node> {
    nodes.iter().find(|node| node.name.value == name)
}
