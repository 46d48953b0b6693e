use std::sync::Arc;

use bytes::Bytes;
use logweir_parsers::key;

use super::*;
use crate::event::{ConstantSet, ConstantValue, EventFlags, Span};
use crate::matcher::{Pattern, Predicate, Test, literal};
use crate::parse::Parser;
use crate::router::{Route, RouteMode, Router};
use crate::stream::Position;
use crate::testing;
use crate::transform::{SetFields, SetValue, Transform};

fn is(message: &str) -> Condition {
    let tests = vec![Test::Text(Pattern::new(literal(message), true))];
    Condition::Field(Predicate { key: key::MESSAGE, tests })
}

/// `test` → `named` → `split.a` → `split.rest`.
fn way() -> Way {
    let service = SetValue::Constant(ConstantValue::Text("shop".to_owned()));
    let step = SetFields(vec![(key::SERVICE_NAME, service)]);
    let named = Transform::new("named", vec![("set", Box::new(step))]);
    let route = Route::new(0, "split", RouteMode::First, vec![("a".to_owned(), is("a"))]).unwrap();
    let split = Branch::Route(Arc::new(route), vec![Way::default(), Way::default()]);
    let branches = vec![Branch::Transform(Arc::new(named), Way { lanes: Vec::new(), branches: vec![split] })];
    Way { lanes: Vec::new(), branches }
}

/// A worker's way of this many events, `a` and `b` by turns.
struct Pipeline {
    taps: Arc<Taps>,
    parser: Parser,
    router: Router,
    way: Way,
}

impl Pipeline {
    fn new() -> Self {
        let way = way();
        let taps = Taps::new([("test", &way)].into_iter(), Vec::new());
        let keys = Keys::new(10);
        let router = Router::new(Arc::clone(&keys)).tapped(Arc::clone(&taps));
        Self { taps, parser: Parser::new(keys), router, way }
    }

    fn listen(&self, points: &[&str], condition: Option<Condition>, events_per_second: u32) -> Option<Tap> {
        let points = points.iter().map(|point| (*point).to_owned()).collect();
        let tap = self.taps.listen(points, condition, events_per_second)?;
        // A test that is kept waiting by others uses up time that it did not work.
        tap.listener.time.store(i64::MAX / 2, Relaxed);
        Some(tap)
    }

    fn send(&mut self, events: u32) {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let line = |number: u32| {
            let span = Span { start: number % 2, len: 1 };
            Batch::line(span, u64::from(number), 0, EventFlags::default())
        };
        let ack = stream.begin(Position::default(), u64::from(events), 2);
        let events = (0..events).map(line).collect();
        let mut batch = Batch::new(Bytes::from_static(b"ab"), events, stream, 0, ack);
        self.parser.parse(&mut batch);
        self.router.route(&self.way, &mut batch, &mut []);
        self.parser.recycle(batch).done();
    }
}

fn lines(heard: &Heard) -> Vec<String> {
    String::from_utf8(heard.lines.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn each_point_shows_its_events_as_they_are_there() {
    let mut pipeline = Pipeline::new();
    let known = pipeline.taps.points().iter().map(|point| (point.name.as_str(), point.kind.name()));
    let known = known.collect::<Vec<_>>();
    assert_eq!(
        known,
        [("test", "source"), ("named", "transform"), ("split.a", "port"), ("split.rest", "port")]
    );
    let mut taps =
        ["test", "named", "split.a", "split.rest"].map(|point| pipeline.listen(&[point], None, 100).unwrap());
    pipeline.send(2);
    let heard = taps.each_mut().map(|tap| lines(&tap.hear()));
    let has = |line: &str, point: &str, message: &str, is_named: bool| {
        assert!(line.starts_with(&format!("{{\"point\":\"{point}\",\"event\":{{\"@timestamp\":")), "{line}");
        assert!(line.contains(&format!("\"message\":\"{message}\"")) && line.ends_with("}}"), "{line}");
        assert_eq!(line.contains("\"service.name\":\"shop\""), is_named, "{line}");
    };
    assert_eq!(heard.each_ref().map(Vec::len), [2, 2, 1, 1]);
    has(&heard[0][0], "test", "a", false);
    has(&heard[0][1], "test", "b", false);
    has(&heard[1][1], "named", "b", true);
    has(&heard[2][0], "split.a", "a", true);
    has(&heard[3][0], "split.rest", "b", true);
}

#[test]
fn a_condition_chooses() {
    let mut pipeline = Pipeline::new();
    let mut tap = pipeline.listen(&["test"], Some(is("b")), 100).unwrap();
    pipeline.send(10);
    let heard = tap.hear();
    assert_eq!((lines(&heard).len(), heard.skipped), (5, 0));
    assert!(lines(&heard).iter().all(|line| line.contains("\"message\":\"b\"")));
}

#[test]
fn what_a_tap_cannot_have_is_counted() {
    let mut pipeline = Pipeline::new();
    let mut tap = pipeline.listen(&["test"], None, 7).unwrap();
    (0..3).for_each(|_| pipeline.send(5));
    let heard = tap.hear();
    assert_eq!((lines(&heard).len(), heard.skipped), (7, 8));
}

#[test]
fn a_listener_that_takes_nothing_away_costs_bounded_time_and_memory() {
    let mut pipeline = Pipeline::new();
    let mut tap = pipeline.listen(&["test", "named"], None, EVENTS_PER_SECOND_MAX).unwrap();
    let listener = Arc::clone(&tap.listener);
    listener.time.store(SAVED_NANOS_MAX / TIME_SHARE, Relaxed);
    (0..100).for_each(|_| pipeline.send(2000));
    assert!(!listener.may_have_more());
    let waiting = tap.hear();
    assert!(waiting.lines.len() <= WAITING_BYTES_MAX);
    assert_eq!(lines(&waiting).len() as u64 + waiting.skipped, 400_000);
}

#[test]
fn taps_are_few_and_leave_nothing_behind() {
    let mut pipeline = Pipeline::new();
    let mut taps = (0..TAPS_MAX).map(|_| pipeline.listen(&["test"], None, 1).unwrap()).collect::<Vec<_>>();
    assert!(pipeline.listen(&["test"], None, 1).is_none());
    taps.pop();
    assert!(pipeline.listen(&["test"], None, 1).is_some());
    pipeline.send(1);
    assert!(pipeline.router.is_tapped());
    taps.clear();
    pipeline.send(1);
    assert!(!pipeline.router.is_tapped(), "a worker goes on showing events to nobody");
}
