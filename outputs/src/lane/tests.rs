//! Lanes with an inbox that the test empties.

use logweir_parsers::format::Format;
use logweir_pipeline::transform::{Bench, Split, Step, Transform};
use tokio::sync::mpsc::{self, Receiver};

use super::*;
use crate::testing::{Source, all};

/// Writes lines as they are, to the target that their first letter names.
struct Lines {
    targets: Vec<Arc<str>>,
    targets_max: usize,
}

impl Encode for Lines {
    fn begin(&mut self, _batch: &Batch) -> bool {
        true
    }

    fn is_stored(&self, event: &logweir_pipeline::Event) -> bool {
        event.line.len == 6 // "stored"
    }

    fn targets_max(&self) -> usize {
        self.targets_max
    }

    fn target(&mut self, batch: &Batch, index: usize) -> &Arc<str> {
        let letter = batch.events[index].line.of(&batch.chunk).first().map_or(0, |byte| byte % 2);
        &self.targets[usize::from(letter)]
    }

    fn encode(
        &mut self,
        batch: &Batch,
        event: &logweir_pipeline::Event,
        target: Option<&str>,
        out: &mut Writer,
    ) {
        out.push(target.unwrap_or_default().as_bytes());
        out.push(event.line.of(&batch.chunk));
        out.push(b"\n");
    }
}

struct Setup {
    source: Source,
    lane: OutputLane<Lines>,
    inbox: Receiver<Payload>,
    memory: Arc<Memory>,
    queue: Arc<Memory>,
    status: Arc<OutputStatus>,
}

fn setup(config: LaneConfig, targets_max: usize) -> Setup {
    let (payloads, inbox) = mpsc::channel(64);
    let (memory, queue) = (Memory::new(1 << 30), Memory::new(config.queue_bytes));
    let status = Arc::new(OutputStatus::new("test", "lines"));
    let shared = LaneShared {
        payloads,
        queue: Arc::clone(&queue),
        memory: Arc::clone(&memory),
        buffers: BufferPool::new(2),
        status: Arc::clone(&status),
    };
    let encode = Lines { targets: vec!["even".into(), "odd".into()], targets_max };
    let source = Source::new(Format::Raw, 5);
    Setup { source, lane: OutputLane::new(encode, config, shared), inbox, memory, queue, status }
}

impl Setup {
    fn write(&mut self, lines: &[&str]) {
        let batch = self.source.batch(lines);
        self.lane.write(&batch, &all(&batch));
        batch.ack.done();
    }

    fn received(&mut self) -> Vec<Payload> {
        std::iter::from_fn(|| self.inbox.try_recv().ok()).collect()
    }
}

fn texts(payloads: &[Payload]) -> Vec<String> {
    let text = |payload: &Payload| String::from_utf8(payload.plain().unwrap().into_owned()).unwrap();
    payloads.iter().map(text).collect()
}

#[test]
fn a_payload_closes_at_its_size_and_its_number_of_events() {
    let small = LaneConfig { batch_bytes: 8, ..LaneConfig::default() };
    let few = LaneConfig { batch_events: 2, ..LaneConfig::default() };
    for (config, full, rest) in [
        (small, vec!["bbbb\nbbbb\n", "bb\nbb\nbb\n"], "b\n"),
        (few, vec!["bbbb\nbbbb\n", "bb\nbb\n"], "bb\nb\n"),
    ] {
        let mut setup = setup(config, usize::MAX);
        setup.write(&["bbbb", "bbbb", "bb", "bb"]);
        setup.write(&["bb"]);
        assert_eq!(texts(&setup.received()), full);
        setup.write(&["b"]);
        setup.lane.flush();
        assert_eq!(texts(&setup.received()), [rest]);
        assert_eq!(setup.lane.due(), None);
    }
}

#[test]
fn a_batch_is_acknowledged_when_its_last_payload_is() {
    let mut setup = setup(LaneConfig { batch_events: 2, ..LaneConfig::default() }, usize::MAX);
    setup.write(&["bb", "bb", "bb"]);
    setup.write(&["bb", "bb"]);
    setup.lane.flush();
    let mut payloads = setup.received();
    assert_eq!(payloads.iter().map(Payload::len).collect::<Vec<_>>(), [2, 2, 1]);
    let offsets = |payload: &Payload| {
        payload.slices().iter().map(|s| (s.first_offset, s.last_offset)).collect::<Vec<_>>()
    };
    assert_eq!(offsets(&payloads[1]), [(6, 6), (9, 9)]);
    payloads.remove(1).done();
    assert_eq!(setup.source.acknowledged(), 0);
    payloads.remove(0).done();
    assert_eq!(setup.source.acknowledged(), 9);
    payloads.remove(0).done();
    assert_eq!(setup.source.acknowledged(), setup.source.end());
}

#[test]
fn a_payload_that_is_dropped_acknowledges_nothing() {
    let mut setup = setup(LaneConfig::default(), usize::MAX);
    setup.write(&["bb"]);
    setup.lane.flush();
    drop(setup.received());
    assert_eq!(setup.source.acknowledged(), 0);
    assert!(!setup.source.stream.is_settled());
}

#[test]
fn runs_say_where_items_go_and_only_other_targets_are_named() {
    let mut setup = setup(LaneConfig::default(), usize::MAX);
    setup.write(&["b1", "b2", "c1", "b3"]);
    setup.lane.flush();
    let payloads = setup.received();
    assert_eq!(texts(&payloads), ["b1\nb2\noddc1\nb3\n"]);
    let parts = payloads[0].parts().map(|(target, range)| (target.to_string(), range)).collect::<Vec<_>>();
    let expected = [("even", 0..6), ("odd", 6..12), ("even", 12..15)];
    assert_eq!(parts, expected.map(|(target, range)| (target.to_owned(), range)));
    assert_eq!(
        (payloads[0].target(), payloads[0].target_of(2), payloads[0].target_of(3)),
        ("even", "odd", "even")
    );
    let part = payloads[0].select(&[1, 2], |bytes| setup.queue.take(bytes)).unwrap();
    assert_eq!(texts(std::slice::from_ref(&part)), ["b2\noddc1\n"]);
    assert_eq!((part.target_of(0), part.target_of(1)), ("even", "odd"));
}

#[test]
fn a_payload_has_as_many_targets_as_the_output_takes() {
    let mut setup = setup(LaneConfig::default(), 1);
    setup.write(&["b1", "b2", "c1", "c2", "b3"]);
    setup.lane.flush();
    let payloads = setup.received();
    assert_eq!(texts(&payloads), ["b1\nb2\n", "c1\nc2\n", "b3\n"]);
    payloads.into_iter().for_each(Payload::done);
    assert_eq!(setup.source.acknowledged(), setup.source.end());
}

#[test]
fn what_is_stored_counts_as_delivered_and_is_not_sent() {
    let mut setup = setup(LaneConfig::default(), usize::MAX);
    setup.write(&["stored", "bb", "stored"]);
    setup.write(&["stored"]);
    setup.lane.flush();
    let payloads = setup.received();
    assert_eq!(texts(&payloads), ["bb\n"]);
    payloads.into_iter().for_each(Payload::done);
    assert_eq!(setup.source.acknowledged(), setup.source.end());
    assert_eq!((setup.status.counts().delivered, setup.status.counts().already_stored), (3, 3));
}

#[test]
fn a_payload_of_one_event_takes_what_it_holds() {
    let mut setup = setup(LaneConfig::default().one_event(), usize::MAX);
    setup.write(&["a long line", "b", "c"]);
    let (mut sizes, mut payloads) = (Vec::new(), Vec::new());
    while let Ok(payload) = setup.inbox.try_recv() {
        assert_eq!((payload.len(), setup.queue.in_use()), (1, setup.memory.in_use()));
        sizes.push(payload.body().len());
        payloads.push(payload);
    }
    assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (3, setup.queue.in_use()));
}

#[test]
fn memory_is_counted_until_the_payload_is_settled() {
    for gzip in [false, true] {
        let mut setup = setup(LaneConfig { gzip, ..LaneConfig::default() }, usize::MAX);
        setup.write(&["bb"; 100]);
        setup.lane.flush();
        let payloads = setup.received();
        assert_eq!(payloads[0].encoding() == ContentEncoding::Gzip, gzip);
        assert_eq!(texts(&payloads), ["bb\n".repeat(100)]);
        assert!(setup.memory.in_use() >= payloads[0].body().len());
        assert_eq!(setup.memory.in_use(), setup.queue.in_use());
        payloads.into_iter().for_each(Payload::done);
        assert_eq!((setup.memory.in_use(), setup.queue.in_use()), (0, 0));
    }
}

#[test]
fn a_full_queue_has_no_room_until_a_payload_is_settled() {
    let config = LaneConfig { batch_events: 1, queue_bytes: 1, ..LaneConfig::default() };
    let mut setup = setup(config, usize::MAX);
    assert!(setup.lane.has_room(Duration::ZERO));
    setup.write(&["b1", "b2"]);
    assert!(!setup.lane.has_room(Duration::ZERO));
    let payloads = setup.received();
    assert_eq!(texts(&payloads), ["b1\n", "b2\n"]);
    assert!(!setup.lane.has_room(Duration::ZERO));
    payloads.into_iter().for_each(Payload::done);
    assert!(setup.lane.has_room(Duration::ZERO));
}

#[test]
fn an_open_payload_may_grow_while_others_wait_for_the_store() {
    let mut setup = setup(LaneConfig { batch_events: 2, ..LaneConfig::default() }, usize::MAX);
    setup.write(&["b1", "b2", "b3"]);
    let while_one_waits = setup.lane.due();
    setup.received().into_iter().for_each(Payload::done);
    assert!(while_one_waits > setup.lane.due());
}

#[test]
fn payloads_grow_while_they_fill_up_and_shrink_when_there_is_little() {
    let line = "b".repeat(1023);
    let mut setup = setup(LaneConfig { queue_bytes: 1 << 30, ..LaneConfig::default() }, usize::MAX);
    for _ in 0..15 {
        setup.write(&[line.as_str(); 256]);
    }
    let payloads = setup.received();
    let sizes = payloads.iter().map(|payload| payload.body().len() / 1024).collect::<Vec<_>>();
    assert_eq!(sizes, [256, 512, 992, 992, 992]);
    for expected in [COMFORTABLE, COMFORTABLE / 2, BUFFER_MIN, BUFFER_MIN] {
        setup.write(&["b"]);
        setup.lane.flush();
        assert_eq!(setup.lane.limit, expected);
    }
}

#[test]
fn a_worker_that_waits_for_its_sources_sends_what_is_half_full_before_it_sleeps() {
    let line = "b".repeat(1023);
    for (pause, fill, sent) in [
        (SOURCES_ARE_SLOW * 2, BUFFER_MIN / 2, 1),
        (SOURCES_ARE_SLOW * 2, BUFFER_MIN / 2 - 1024, 0),
        (Duration::ZERO, BUFFER_MIN / 2, 0),
    ] {
        let mut setup = setup(LaneConfig::default(), usize::MAX);
        // Later than now, so that the time this test takes does not count.
        let future = Instant::now() + Duration::from_secs(3600);
        setup.lane.sent_at =
            if pause.is_zero() { future } else { Instant::now().checked_sub(pause).unwrap() };
        setup.write(&vec![line.as_str(); fill / 1024]);
        setup.lane.idle();
        assert_eq!(setup.received().len(), sent, "{pause:?} {fill}");
    }
}

#[test]
fn payloads_may_be_twice_as_large_while_the_sources_are_slow() {
    let line = "b".repeat(1023);
    let mut setup = setup(LaneConfig { queue_bytes: 1 << 30, ..LaneConfig::default() }, usize::MAX);
    let mut fill = |lane_rests: bool| {
        setup.lane.limit = COMFORTABLE;
        setup.lane.sent_at = Instant::now() + Duration::from_secs(3600);
        if lane_rests {
            setup.lane.sent_at = Instant::now().checked_sub(SOURCES_ARE_SLOW * 2).unwrap();
        }
        while setup.inbox.is_empty() {
            setup.write(&[line.as_str(); 256]);
        }
        setup.received();
        setup.lane.limit
    };
    assert_eq!((fill(false), fill(true)), (COMFORTABLE, 2 * COMFORTABLE));
}

#[test]
fn payloads_grow_further_only_while_the_store_is_slow() {
    let (no_wait, wait) = (Duration::ZERO, STORE_IS_SLOW * 2);
    for (limit, waited, is_idle, expected) in [
        (BUFFER_MIN, no_wait, true, 2 * BUFFER_MIN),
        (COMFORTABLE, no_wait, true, COMFORTABLE),
        (COMFORTABLE, no_wait, false, COMFORTABLE),
        (COMFORTABLE, wait, false, 2 * COMFORTABLE),
        (4 * COMFORTABLE, no_wait, false, 4 * COMFORTABLE),
        (4 * COMFORTABLE, no_wait, true, 2 * COMFORTABLE),
    ] {
        assert_eq!(next_limit(limit, COMFORTABLE, waited, is_idle), expected, "{limit} {waited:?} {is_idle}");
    }
}

#[test]
fn what_becomes_of_pieces_counts_for_their_line() {
    let mut setup = setup(LaneConfig::default(), usize::MAX);
    let field = logweir_parsers::key::MESSAGE;
    let split: Box<dyn Step> = Box::new(Split { field, elements_max: 10, flatten: true });
    let transform = Transform::new("clean", vec![("split", split)]);
    let mut batch = setup.source.batch(&["[1,2,3]", "[4]", "[5,6]"]);
    let mut selected = all(&batch);
    transform.steps[0].apply(&mut batch, &mut selected, &mut Bench::new(Arc::clone(&setup.source.keys)));
    assert_eq!(selected.len(), 6);
    setup.lane.write(&batch, &selected);
    batch.ack.done();
    setup.lane.flush();
    let payload = setup.received().remove(0);
    let slice = &payload.slices()[0];
    assert_eq!((slice.first_offset, slice.last_offset), (1, 15));
    [1, 2, 3].into_iter().for_each(|item| payload.rejected(item));
    payload.done();
    let counts = setup.source.stream.source().ledger.counts();
    assert_eq!((counts.read, counts.rejected, counts.delivered), (3, 2, 1));
    assert!(counts.adds_up());
    assert_eq!(setup.source.acknowledged(), setup.source.end());
}
