//! Where the events of each source go.
//!
//! Owns: [`Way`], and finding the way of each source in the graph.
//! Promises: an output gets an event of a source once at most; what goes nowhere is told.
//! Never: resolves a name.

#[cfg(feature = "kafka")]
use std::collections::BTreeSet;

use super::error::{Diagnostic, Severity};
use super::graph::{Graph, Point, Role};

/// Most points of one source's way: routes whose ports meet again and again make it grow fast.
const POINTS_MAX: usize = 10_000;

/// The way of events from one point on, by names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The outputs, aggregates and rules that take them here.
    pub(crate) outputs: Vec<String>,
    /// What else takes them here, and the ways behind it.
    pub(crate) branches: Vec<Branch>,
}

/// A component on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// Its name.
    pub(crate) name: String,
    /// The way behind each of its ports; a transform has one.
    pub(crate) ways: Vec<Way>,
}

impl Way {
    /// Every output that they may reach.
    #[cfg(feature = "kafka")]
    pub(crate) fn all_outputs(&self) -> BTreeSet<&str> {
        let behind = self.branches.iter().flat_map(|branch| &branch.ways).flat_map(Self::all_outputs);
        self.outputs.iter().map(String::as_str).chain(behind).collect()
    }

    /// Whether some output takes the events.
    pub(crate) fn leads_somewhere(&self) -> bool {
        !self.outputs.is_empty() || !self.branches.is_empty()
    }
}

/// Finds the way of each source and of what aggregates and rules make, in their order. Nothing is found while there are errors.
pub(crate) fn ways(graph: &Graph<'_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Way> {
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Vec::new();
    }
    warn_of_unread(graph, diagnostics);
    let sources = graph.nodes.iter().enumerate().filter(|(_, node)| node.role.begins());
    sources.map(|(source, _)| way_of(source, graph, diagnostics)).collect()
}

/// Tells of what nothing reads. The rest of a route is often meant to end there.
fn warn_of_unread(graph: &Graph<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for (number, node) in graph.nodes.iter().enumerate() {
        let is_route = matches!(node.role, Role::FirstMatch | Role::AllMatches);
        let ports = node.ports.len() - usize::from(is_route && !node.ports.is_empty());
        for (port, name) in node.ports.iter().take(ports).enumerate() {
            if graph.takers(Point { node: number, port }).next().is_none() {
                let label = if is_route { "they go no further" } else { "it is not run" };
                diagnostics.push(
                    Diagnostic::warning(format!("nothing takes the events of `{name}`"))
                        .at(node.name.place, label)
                        .help(format!(
                            "write `{name}` into the `inputs` of an output, transform, route, aggregate or rule"
                        )),
                );
            }
        }
    }
}

fn way_of(source: usize, graph: &Graph<'_>, diagnostics: &mut Vec<Diagnostic>) -> Way {
    let point = Point { node: source, port: 0 };
    let outputs = graph.nodes.iter().enumerate().filter(|(_, node)| node.role.ends());
    let reached = outputs.map(|(output, _)| (output, copies(point, output, graph)));
    let twice = reached.filter(|(_, copies)| *copies > 1).map(|(output, _)| output).collect::<Vec<_>>();
    for &output in &twice {
        diagnostics.push(gets_twice(source, output, graph));
    }
    let mut points = 0;
    if twice.is_empty()
        && let Some(way) = way_behind(point, graph, &mut points)
    {
        return way;
    }
    if twice.is_empty() {
        let name = &graph.nodes[source].name;
        diagnostics.push(
            Diagnostic::error(format!("the way of the events of `{}` branches too often", name.value))
                .at(name.place, format!("expected {POINTS_MAX} points at most"))
                .help(
                    "ports of a route that one component reads, again and again, multiply: use fewer routes",
                ),
        );
    }
    Way::default()
}

/// How often an output gets an event that comes out at a point; more than a few are as bad as a few.
fn copies(point: Point, output: usize, graph: &Graph<'_>) -> u8 {
    let mut known = graph.nodes.iter().map(|node| vec![None; node.ports.len()]).collect::<Vec<_>>();
    count_copies(point, output, graph, &mut known)
}

/// The same, counting at each point once.
fn count_copies(point: Point, output: usize, graph: &Graph<'_>, known: &mut [Vec<Option<u8>>]) -> u8 {
    if let Some(copies) = known[point.node][point.port] {
        return copies;
    }
    let mut sum = 0_u8;
    for taker in graph.takers(point) {
        let ports = 0..graph.nodes[taker].ports.len();
        let mut behind = ports.map(|port| count_copies(Point { node: taker, port }, output, graph, known));
        sum = sum.saturating_add(match graph.nodes[taker].role {
            // An event leaves by one port only.
            Role::FirstMatch => behind.max().unwrap_or(0),
            _ if taker == output => 1,
            role if role.ends() => 0,
            _ => behind.by_ref().fold(0, u8::saturating_add),
        });
    }
    known[point.node][point.port] = Some(sum);
    sum
}

/// Says that an output would get events twice, and by which of its inputs.
fn gets_twice(source: usize, output: usize, graph: &Graph<'_>) -> Diagnostic {
    let (name, source) = (&graph.nodes[output].name.value, &graph.nodes[source].name);
    let mut diagnostic =
        Diagnostic::error(format!("`{name}` would get the events of `{}` twice", source.value));
    for (index, feed) in graph.feeds[output].iter().enumerate() {
        diagnostic = diagnostic.at(feed.place, if index == 0 { "on this way" } else { "and on this way" });
    }
    diagnostic.at(source.place, "this source").help(
        "let an event reach an output on one way; ports of a route with `mode = \"first\"` do not overlap",
    )
}

/// The way of the events that come out at a point; `None` when it has too many points.
fn way_behind(point: Point, graph: &Graph<'_>, points: &mut usize) -> Option<Way> {
    *points += 1;
    if *points > POINTS_MAX {
        return None;
    }
    let mut way = Way::default();
    for taker in graph.takers(point) {
        let node = &graph.nodes[taker];
        let name = node.name.value.clone();
        if node.role.ends() {
            way.outputs.push(name);
            continue;
        }
        let ports = 0..node.ports.len();
        let ways = ports.map(|port| way_behind(Point { node: taker, port }, graph, points));
        let ways = ways.collect::<Option<Vec<_>>>()?;
        if ways.iter().any(Way::leads_somewhere) {
            way.branches.push(Branch { name, ways });
        }
    }
    Some(way)
}
