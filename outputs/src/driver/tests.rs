//! The driver against a scripted client: every verdict, with the time of the test.

use std::collections::VecDeque;
use std::sync::Mutex;

use logweir_parsers::format::Format;
use logweir_pipeline::buffers::BufferPool;
use logweir_pipeline::worker::Lane;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::client::Document;
use crate::console::{ConsoleClient, ConsoleConfig, ConsoleEncoder, ConsoleEncoding};
use crate::dead_letter::DeadLetterConfig;
use crate::lane::{LaneConfig, LaneShared, OutputLane};
use crate::testing::{Source, all};

/// When each request came, and its items.
type Requests = Arc<Mutex<Vec<(Duration, Vec<String>)>>>;

/// Answers from a list, then delivers. Remembers what came.
#[derive(Debug, Default)]
struct Scripted<const ORDERED: bool> {
    answers: Mutex<VecDeque<Verdict>>,
    bodies: Requests,
    start: Option<Instant>,
}

impl<const ORDERED: bool> Client for Scripted<ORDERED> {
    const ORDERED: bool = ORDERED;

    async fn send(&self, payload: &Payload) -> Verdict {
        let plain = payload.plain().unwrap();
        let lines =
            (0..payload.len()).map(|item| String::from_utf8(plain[payload.range(item)].to_vec()).unwrap());
        let elapsed = self.start.unwrap().elapsed();
        self.bodies.lock().unwrap().push((elapsed, lines.collect()));
        tokio::time::sleep(Duration::from_millis(10)).await;
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or(Verdict::Delivered { soft_failures: 0 })
    }

    fn document<'a>(&self, item: &'a [u8]) -> Document<'a> {
        Document { id: "", ..ConsoleClient.document(item) }
    }
}

struct Setup {
    source: Source,
    lane: Option<OutputLane<ConsoleEncoder>>,
    driver: JoinHandle<DriverEnd>,
    status: Arc<OutputStatus>,
    bodies: Requests,
    dead_letter: Arc<DeadLetter>,
    _folder: tempfile::TempDir,
}

fn setup(answers: Vec<Verdict>, gzip: bool) -> Setup {
    setup_with::<false>(answers, gzip)
}

fn setup_with<const ORDERED: bool>(answers: Vec<Verdict>, gzip: bool) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let dead_letter = DeadLetter::open(folder.path(), &DeadLetterConfig::default()).unwrap();
    let client = Scripted::<ORDERED> {
        answers: Mutex::new(answers.into()),
        start: Some(Instant::now()),
        ..Default::default()
    };
    let bodies = Arc::clone(&client.bodies);
    let status = Arc::new(OutputStatus::new("test", "scripted"));
    let queue = Memory::new(1 << 20);
    let (payloads, inbox) = mpsc::channel(4);
    let driver = Driver::new(
        client,
        DriverConfig::default(),
        Arc::clone(&queue),
        Arc::clone(&status),
        Some(Arc::clone(&dead_letter)),
    );
    let source = Source::new(Format::Raw, 7);
    let config = ConsoleConfig { encoding: ConsoleEncoding::Json };
    let encoder = ConsoleEncoder::new(Arc::clone(&source.keys), &config);
    let (memory, buffers, shown) = (Memory::new(1 << 20), BufferPool::new(2), Arc::clone(&status));
    let shared = LaneShared { payloads, queue, memory, buffers, status: shown };
    let lane = OutputLane::new(encoder, LaneConfig { gzip, ..LaneConfig::default() }, shared);
    Setup {
        source,
        lane: Some(lane),
        driver: tokio::spawn(driver.run(inbox)),
        status,
        bodies,
        dead_letter,
        _folder: folder,
    }
}

impl Setup {
    /// Writes the lines as one payload, from a thread as workers do.
    async fn write(&mut self, lines: &[&str]) {
        let batch = self.source.batch(lines);
        let Some(mut lane) = self.lane.take() else { return };
        let written = tokio::task::spawn_blocking(move || {
            lane.write(&batch, &all(&batch));
            lane.flush();
            batch.ack.done();
            lane
        });
        self.lane = Some(written.await.unwrap());
    }

    async fn finish(&mut self) -> DriverEnd {
        self.lane = None;
        (&mut self.driver).await.unwrap()
    }

    /// The messages of each request.
    fn requests(&self) -> Vec<Vec<String>> {
        let message = |line: &String| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].as_str().unwrap().to_owned()
        };
        self.bodies.lock().unwrap().iter().map(|(_, lines)| lines.iter().map(message).collect()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_is_neither_sent_again_nor_acknowledged() {
    let mut setup = setup(vec![Verdict::Abandoned], false);
    setup.write(&["one", "two"]).await;
    assert_eq!(setup.finish().await, DriverEnd::Drained);
    assert_eq!(setup.requests().len(), 1);
    let counts = setup.source.stream.source().ledger.counts();
    assert_eq!((counts.dropped["read again"], counts.delivered, counts.in_flight), (2, 0, 0));
    assert!(!setup.source.stream.is_settled());
}

fn overload() -> Trouble {
    Trouble::new(Cause::Overload, "too many requests")
}

fn refusal(status: u16) -> Refusal {
    Refusal { status, label: "bad".to_owned(), reason: "bad: wrong type".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn delivers_and_acknowledges() {
    let mut setup = setup(Vec::new(), false);
    setup.write(&["a", "b"]).await;
    setup.write(&["c"]).await;
    assert_eq!(setup.finish().await, DriverEnd::Drained);
    assert_eq!(setup.source.acknowledged(), setup.source.end());
    let mut requests = setup.requests();
    requests.sort();
    assert_eq!(requests, [vec!["a", "b"], vec!["c"]]);
    assert_eq!(setup.status.counts().delivered, 3);
    assert_eq!(setup.status.state(), OutputState::Ended);
}

#[tokio::test(start_paused = true)]
async fn retries_without_end_and_waits_as_long_as_the_store_asks() {
    let mut answers = vec![Verdict::Retry(overload()); 30];
    answers[3] = Verdict::Retry(Trouble { after: Some(Duration::from_secs(99)), ..overload() });
    let mut setup = setup(answers, false);
    setup.write(&["a"]).await;
    assert_eq!(setup.finish().await, DriverEnd::Drained);
    let times = setup.bodies.lock().unwrap().iter().map(|(time, _)| *time).collect::<Vec<_>>();
    assert_eq!(times.len(), 31);
    assert!(times[4] - times[3] >= Duration::from_secs(99));
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= Duration::from_secs(100)));
    assert!(times[30] - times[29] >= Duration::from_secs(15));
    assert_eq!(setup.source.acknowledged(), setup.source.end());
    assert_eq!(setup.status.counts().retried, 30);
}

#[tokio::test(start_paused = true)]
async fn only_the_items_that_failed_are_sent_again() {
    for gzip in [false, true] {
        let mixed = Mixed { retry: Some((vec![1, 3], overload())), ..Mixed::default() };
        let again = Mixed { retry: Some((vec![0], overload())), ..Mixed::default() };
        let mut setup = setup(vec![Verdict::Mixed(mixed), Verdict::Mixed(again)], gzip);
        setup.write(&["a", "b", "c", "d"]).await;
        setup.finish().await;
        assert_eq!(setup.requests(), [vec!["a", "b", "c", "d"], vec!["b", "d"], vec!["b"]]);
        assert_eq!(setup.source.acknowledged(), setup.source.end());
        assert_eq!(setup.status.counts().delivered, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_in_the_dead_letter_before_it_is_acknowledged() {
    for gzip in [false, true] {
        let rejected = vec![(0, refusal(400)), (2, refusal(404))];
        let mixed = Mixed { retry: Some((vec![1], overload())), rejected, soft_failures: 0 };
        let mut setup = setup(vec![Verdict::Mixed(mixed)], gzip);
        setup.write(&["a", "b", "c"]).await;
        setup.finish().await;
        let records = setup.dead_letter.records().unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let found =
            records.iter().map(|record| (record.status, record.document.get().contains("\"message\":\"")));
        assert_eq!(found.collect::<Vec<_>>(), [(400, true), (404, true)]);
        assert!(records[1].document.get().contains("\"message\":\"c\""));
        assert_eq!(records[0].reason, "bad: wrong type");
        let ledger = setup.source.stream.source().ledger.counts();
        assert_eq!((ledger.delivered, ledger.rejected, ledger.in_flight), (1, 2, 0));
        assert_eq!(setup.source.acknowledged(), setup.source.end());
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_refused_as_a_whole_is_sent_in_halves_down_to_the_culprit() {
    let refused = || Verdict::Refused(refusal(413));
    let delivered = || Verdict::Delivered { soft_failures: 0 };
    let mut setup = setup(vec![refused(), delivered(), refused(), refused(), delivered()], false);
    setup.write(&["a", "b", "c", "d"]).await;
    setup.finish().await;
    let expected = [vec!["a", "b", "c", "d"], vec!["a", "b"], vec!["c", "d"], vec!["c"], vec!["d"]];
    assert_eq!(setup.requests(), expected);
    let counts = setup.status.counts();
    assert_eq!((counts.delivered, counts.rejected), (3, 1));
    assert_eq!(setup.source.acknowledged(), setup.source.end());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_let_us_in_pauses_the_output() {
    let unauthorized = Trouble::new(Cause::Unauthorized, "status 401");
    let mut setup = setup(vec![Verdict::Retry(unauthorized); 3], false);
    setup.write(&["a"]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(setup.status.state(), OutputState::Paused);
    assert_eq!(setup.status.last_error().as_deref(), Some("status 401"));
    assert_eq!(setup.source.acknowledged(), 0);
    setup.finish().await;
    assert_eq!(setup.source.acknowledged(), setup.source.end());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_ends_acknowledges_nothing_more() {
    let mut setup = setup(vec![Verdict::Closed("nobody reads".to_owned())], false);
    setup.write(&["a"]).await;
    assert_eq!((&mut setup.driver).await.unwrap(), DriverEnd::Closed("nobody reads".to_owned()));
    setup.write(&["b"]).await;
    assert_eq!(setup.source.acknowledged(), 0);
    assert!(!setup.source.stream.is_settled());
}

#[tokio::test(start_paused = true)]
async fn a_full_dead_letter_holds_everything_until_there_is_room() {
    let mixed = Mixed { rejected: vec![(0, refusal(400))], ..Mixed::default() };
    let mut setup = setup(vec![Verdict::Mixed(mixed)], false);
    let folder = setup._folder.path().to_owned();
    let full = std::fs::File::create(folder.join("old.ndjson")).unwrap();
    full.set_len(2 * 1024 * 1024 * 1024).unwrap();
    setup.write(&["a"]).await;
    while setup.status.state() != OutputState::Paused {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(setup.status.last_error().unwrap().contains("is full"));
    assert_eq!(setup.source.acknowledged(), 0);
    full.set_len(0).unwrap();
    setup.finish().await;
    assert_eq!(setup.source.acknowledged(), setup.source.end());
    assert_eq!(setup.dead_letter.records().unwrap().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_ordered_output_sends_nothing_past_what_waits() {
    let mut setup = setup_with::<true>(vec![Verdict::Retry(overload()); 3], false);
    setup.write(&["a"]).await;
    setup.write(&["b"]).await;
    assert_eq!(setup.finish().await, DriverEnd::Drained);
    assert_eq!(setup.requests(), [["a"], ["a"], ["a"], ["a"], ["b"]]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_gets_all_that_waits_at_once() {
    let away = Trouble::new(Cause::Unreachable, "connection refused");
    let mut setup = setup(vec![Verdict::Retry(away); 20], false);
    for line in ["a", "b", "c"] {
        setup.write(&[line]).await;
    }
    setup.finish().await;
    let times = setup.bodies.lock().unwrap().iter().map(|(time, _)| *time).collect::<Vec<_>>();
    let delivered = &times[20..];
    assert_eq!(delivered.len(), 3);
    assert!(delivered[2] - delivered[0] < Duration::from_millis(100), "{delivered:?}");
    assert_eq!(setup.source.acknowledged(), setup.source.end());
}
