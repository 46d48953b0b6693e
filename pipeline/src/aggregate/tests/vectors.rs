//! Single cases: the bounds of windows, clocks that are wrong, silence, too many groups.

use super::*;

fn reading(number: u64, time: i64, sensor: &str) -> Reading {
    Reading { stream: 0, number, time, sensor: Some(sensor.to_owned()), temperature: Some(1.0) }
}

/// Start, end, sensor and count of each document.
fn results(documents: &[Json]) -> Vec<(i64, i64, String, u64)> {
    let time = |document: &Json, name: &str| {
        let text = document[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        i64::try_from(text.as_nanosecond()).unwrap()
    };
    let of = |document: &Json| {
        let (start, end) = (time(document, "logweir.window.start"), time(document, "logweir.window.end"));
        let sensor = document["sensor"].as_str().unwrap().to_owned();
        (start, end, sensor, document["logweir.metrics.count"].as_u64().unwrap())
    };
    documents.iter().map(of).collect()
}

fn tumbling(size: i64) -> Windows {
    Windows::Grid(Grid::new(size, size, 0).unwrap())
}

/// Start, end and count of each window that closed after an event.
type AfterEach = Vec<Vec<(i64, i64, u64)>>;

/// Brings the times one by one, in one stream, and gives the results so far after each.
fn run(windows: Windows, lateness: i64, times: &[i64]) -> (AfterEach, Lab) {
    let mut lab = Lab::new(windows, TimeLimits { lateness, ..NEVER_IDLE }, 1);
    let mut after = Vec::new();
    for (number, time) in (0..).zip(times) {
        lab.bring(0, &[reading(number, *time, "a")], 0);
        after.push(
            results(&lab.documents()).into_iter().map(|(start, end, _, count)| (start, end, count)).collect(),
        );
    }
    (after, lab)
}

#[test]
fn a_window_closes_when_the_watermark_reaches_its_end() {
    let (after, lab) = run(tumbling(10), 5, &[0, 9, 14, 15]);
    assert_eq!(after, [vec![], vec![], vec![], vec![(0, 10, 2)]]);
    lab.aggregate.end();
    assert_eq!(results(&lab.documents()), [(10, 20, "a".to_owned(), 2)]);
}

#[test]
fn an_event_counts_in_every_hopping_window_that_it_is_in() {
    let windows = Windows::Grid(Grid::new(10, 5, 0).unwrap());
    let (after, lab) = run(windows, 0, &[7, 12, 40]);
    assert_eq!(after, [vec![], vec![(0, 10, 1)], vec![(5, 15, 2), (10, 20, 1)]]);
    lab.aggregate.end();
    assert_eq!(lab.documents().len(), 2);
}

#[test]
fn a_pause_as_long_as_the_gap_does_not_end_a_session() {
    let windows = Windows::Session { gap: 10, max: 1_000 };
    let (after, _) = run(windows, 0, &[0, 10, 21, 32]);
    assert_eq!(after, [vec![], vec![], vec![(0, 10, 2)], vec![(21, 21, 1)]]);
}

#[test]
fn an_event_between_two_sessions_joins_them() {
    let windows = Windows::Session { gap: 10, max: 1_000 };
    let (after, lab) = run(windows, 20, &[0, 15, 8, 60]);
    assert_eq!(after.concat(), [(0, 15, 3)]);
    assert_eq!(lab.aggregate.status().counts.late, 0);
}

#[test]
fn one_clock_a_year_ahead_changes_nothing() {
    let mut lab = Lab::new(tumbling(10), TimeLimits { future_limit: 1_000, ..NEVER_IDLE }, 1);
    // The lab reads everything in the far future, so only this one is too far ahead.
    lab.bring(0, &[reading(0, 5, "a"), reading(1, i64::MAX - 1, "a"), reading(2, 6, "a")], 0);
    assert_eq!(lab.documents().len(), 0);
    lab.bring(0, &[reading(3, 50, "a")], 0);
    assert_eq!(results(&lab.documents()), [(0, 10, "a".to_owned(), 2)]);
    assert_eq!(lab.aggregate.status().counts.future, 1);
}

#[test]
fn silence_closes_windows_by_the_clock() {
    let limits = TimeLimits { lateness: 5, idle_after: 30, ..NEVER_IDLE };
    let mut lab = Lab::new(tumbling(10), limits, 2);
    lab.bring(0, &[reading(0, 3, "a")], 1_000);
    assert_eq!(lab.aggregate.advance(1_029), 0);
    assert!(lab.aggregate.advance(1_030) > 0);
    assert_eq!(lab.documents().len(), 1);
    // What wakes up behind the watermark is late.
    lab.bring(1, &[reading(1, 4, "b")], 1_031);
    assert_eq!((lab.documents().len(), lab.aggregate.status().counts.late), (0, 1));
}

#[test]
fn groups_beyond_the_bound_are_counted_and_the_others_go_on() {
    let mut lab = Lab::new(tumbling(10), NEVER_IDLE, 1);
    lab.aggregate = aggregate(&lab.keys, tumbling(10), NEVER_IDLE, 2);
    let sensors = ["a", "b", "c", "a", "d", "b"];
    let readings = (0..).zip(sensors).map(|(number, sensor)| reading(number, 1, sensor)).collect::<Vec<_>>();
    lab.bring(0, &readings, 0);
    lab.aggregate.end();
    let found = results(&lab.documents()).into_iter().map(|(_, _, sensor, count)| (sensor, count));
    assert_eq!(found.collect::<Vec<_>>(), [("a".to_owned(), 2), ("b".to_owned(), 2)]);
    assert_eq!(lab.aggregate.status().counts.refused, 2);
}

#[test]
fn the_same_window_of_the_same_group_has_the_same_identity() {
    let ids = |sensor: &str, time| {
        let mut lab = Lab::new(tumbling(10), NEVER_IDLE, 1);
        lab.bring(0, &[reading(0, time, sensor)], 0);
        lab.aggregate.end();
        lab.aggregate.take_ready().ids.clone()
    };
    assert_eq!(ids("a", 3), ids("a", 4));
    assert_ne!(ids("a", 3), ids("b", 3));
    assert_ne!(ids("a", 3), ids("a", 13));
}
