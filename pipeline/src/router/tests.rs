use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use logweir_parsers::{KeyId, key};

use super::*;
use crate::event::{ConstantSet, ConstantValue, EventFlags, Span};
use crate::ledger::Counts;
use crate::matcher::{Condition, Pattern, Predicate, Test, literal};
use crate::parse::Parser;
use crate::stream::Position;
use crate::transform::{DropEvents, SetFields, SetValue, Step};
use crate::{Keys, testing};

/// An output that notes of each event its message and its service.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Lane for Notes {
    fn has_room(&mut self, _: Duration) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch, selected: &[u32]) {
        let text = |index: u32, key: KeyId| {
            let value = batch.get(index as usize, key).and_then(|value| batch.text(value));
            String::from_utf8_lossy(value.unwrap_or(b"-")).into_owned()
        };
        let notes = selected.iter().map(|&index| text(index, key::MESSAGE) + &text(index, key::SERVICE_NAME));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(notes);
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn flush(&mut self) {}
}

fn transform(name: &str, kind: &str, step: impl Step + 'static) -> Arc<Transform> {
    Arc::new(Transform::new(name, vec![(kind, Box::new(step))]))
}

fn is(message: &str) -> Condition {
    let tests = vec![Test::Text(Pattern::new(literal(message), true))];
    Condition::Field(Predicate { key: key::MESSAGE, tests })
}

fn drops(name: &str, message: &str) -> Arc<Transform> {
    transform(name, "drop", DropEvents(is(message)))
}

fn sets(service: &str) -> Arc<Transform> {
    let service = SetValue::Constant(ConstantValue::Text(service.to_owned()));
    transform("set", "set", SetFields(vec![(key::SERVICE_NAME, service)]))
}

fn to(lanes: &[usize], branches: Vec<Branch>) -> Way {
    Way { lanes: lanes.to_vec(), branches }
}

fn through(transform: Arc<Transform>, way: Way) -> Branch {
    Branch::Transform(transform, way)
}

/// What the three lanes got of the events `a`, `b` and `c`, and the ledger after it.
fn route(way: &Way) -> ([Vec<String>; 3], Counts) {
    let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
    let line = |start| Batch::line(Span { start, len: 1 }, u64::from(start), 0, EventFlags::default());
    let ack = stream.begin(Position::default(), 3, 3);
    let events = vec![line(0), line(1), line(2)];
    let mut batch = Batch::new(Bytes::from_static(b"abc"), events, Arc::clone(&stream), 0, ack);
    let mut parser = Parser::new(Keys::new(10));
    parser.parse(&mut batch);
    let notes = <[Notes; 3]>::default();
    let mut lanes = notes.iter().map(|notes| Box::new(notes.clone()) as Box<dyn Lane>).collect::<Vec<_>>();
    Router::new(Keys::new(10)).route(way, &mut batch, &mut lanes);
    parser.recycle(batch).done();
    let counts = stream.source().ledger.counts();
    assert!(counts.adds_up());
    (notes.map(|notes| notes.0.lock().unwrap().clone()), counts)
}

#[test]
fn each_branch_gets_the_events_as_they_were_where_it_branched() {
    let changed_again = vec![through(sets("2"), to(&[1], Vec::new()))];
    let way = to(
        &[],
        vec![through(sets("1"), to(&[0], changed_again)), through(drops("drop", "x"), to(&[2], Vec::new()))],
    );
    let ([first, second, third], counts) = route(&way);
    assert_eq!(first, ["a1", "b1", "c1"]);
    assert_eq!(second, ["a2", "b2", "c2"]);
    assert_eq!(third, ["a-", "b-", "c-"]);
    assert_eq!(counts.delivered, 3);
}

#[test]
fn an_event_is_dropped_only_when_no_output_took_it() {
    let way = to(
        &[],
        vec![
            through(drops("no a", "a"), to(&[0], vec![through(drops("no b", "b"), to(&[1], Vec::new()))])),
            through(drops("no b either", "b"), to(&[2], Vec::new())),
        ],
    );
    let ([first, second, third], counts) = route(&way);
    assert_eq!((first, second), (vec!["b-".to_owned(), "c-".to_owned()], vec!["c-".to_owned()]));
    assert_eq!(third, ["a-", "c-"]);
    assert_eq!((counts.delivered, counts.dropped.len()), (3, 0));
}

#[test]
fn what_no_output_took_counts_for_what_dropped_it_last() {
    let way = to(
        &[],
        vec![
            through(drops("no a", "a"), to(&[0], Vec::new())),
            through(drops("no a either", "a"), to(&[1], Vec::new())),
        ],
    );
    let (_, counts) = route(&way);
    assert_eq!((counts.delivered, counts.dropped.get("no a either.drop")), (2, Some(&1)));
    assert_eq!(counts.dropped.len(), 1);
}

#[test]
fn a_way_names_each_of_its_lanes_once() {
    let way = to(&[2, 0], vec![through(sets("1"), to(&[1], Vec::new()))]);
    assert_eq!(way.all_lanes(), [0, 1, 2]);
}

/// A route by messages; ports that overlap when one stands in several.
fn by_message(mode: RouteMode, ports: &[&[&str]], ways: Vec<Way>) -> Branch {
    let condition = |messages: &&[&str]| Condition::Any(messages.iter().map(|message| is(message)).collect());
    let ports = ports.iter().enumerate().map(|(number, messages)| (number.to_string(), condition(messages)));
    Branch::Route(Arc::new(Route::new(0, "by", mode, ports.collect()).unwrap()), ways)
}

#[test]
fn a_branch_that_changes_events_further_on_changes_none_of_its_neighbours() {
    let further = vec![through(sets("1"), to(&[0], Vec::new()))];
    let way = to(
        &[],
        vec![
            through(drops("drop", "x"), to(&[], further)),
            through(drops("drop", "x"), to(&[1], Vec::new())),
        ],
    );
    let ([first, second, _], _) = route(&way);
    assert_eq!((first[0].as_str(), second[0].as_str()), ("a1", "a-"));
}

#[test]
fn an_event_leaves_by_the_first_port_or_by_all() {
    let ports: &[&[&str]] = &[&["a", "b"], &["b"]];
    let ways = || {
        vec![
            to(&[], vec![through(sets("1"), to(&[0], Vec::new()))]),
            to(&[1], Vec::new()),
            to(&[2], Vec::new()),
        ]
    };
    let (first, counts) = route(&to(&[], vec![by_message(RouteMode::First, ports, ways())]));
    assert_eq!(first, [vec!["a1", "b1"], vec![], vec!["c-"]]);
    assert_eq!(counts.delivered, 3);
    let (all, counts) = route(&to(&[], vec![by_message(RouteMode::All, ports, ways())]));
    assert_eq!(all, [vec!["a1", "b1"], vec!["b-"], vec!["c-"]]);
    assert_eq!(counts.delivered, 3);
}

#[test]
fn many_ports_give_the_same_as_few() {
    for mode in [RouteMode::First, RouteMode::All] {
        let ports = [&["x"][..]; 20].into_iter().chain([&["b"][..], &["b", "c"][..]]).collect::<Vec<_>>();
        let mut ways = vec![to(&[2], Vec::new()); ports.len()];
        ways[20] = to(&[0], Vec::new());
        ways[21] = to(&[1], Vec::new());
        ways.push(to(&[2], Vec::new()));
        let (lanes, _) = route(&to(&[], vec![by_message(mode, &ports, ways)]));
        let second = if mode == RouteMode::First { vec!["c-"] } else { vec!["b-", "c-"] };
        assert_eq!(lanes, [vec!["b-"], second, vec!["a-"]]);
    }
}

#[test]
fn what_leaves_by_a_port_that_nothing_reads_counts_for_the_port() {
    let ways = vec![to(&[0], Vec::new()), Way::default()];
    let (_, counts) = route(&to(&[], vec![by_message(RouteMode::First, &[&["a"]], ways)]));
    assert_eq!((counts.delivered, counts.dropped.get("by.rest")), (1, Some(&2)));
}
