//! A place to try a syslog source in: a free address, and workers that record what they are sent and can be made to wait.
//!
//! Owns: [`Lab`] and [`Run`].
//! Promises: waits are conditions with a deadline.
//! Never: looks inside the source.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logweir_benchmarks::ports::free_port;
use logweir_pipeline::event::{ConstantSet, Constants, EventFlags, JsonEncoder, Writer};
use logweir_pipeline::ledger::SourceLedger;
use logweir_pipeline::source::syslog::{Listen, ListenerStatus, SyslogConfig, SyslogError, SyslogSource};
use logweir_pipeline::source::{BatchSender, SourceContext};
use logweir_pipeline::{Batch, Keys, Memory, SourceMeta, Stop};
use serde_json::Value;
use tempfile::TempDir;

/// How long any condition may take to come true.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// The name of this host, as far as the source knows.
pub(crate) const HOST: &str = "relay";

/// A source that is not started.
pub(crate) struct Lab {
    pub(crate) dir: TempDir,
    pub(crate) config: SyslogConfig,
    pub(crate) workers: usize,
    pub(crate) memory: usize,
}

/// One event as a worker saw it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) text: String,
    pub(crate) id: (u64, u64),
    pub(crate) cut: bool,
    pub(crate) document: Value,
}

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    batches: usize,
    paused: bool,
}

/// A running source.
pub(crate) struct Run {
    pub(crate) stop: Stop,
    pub(crate) listeners: Vec<Arc<ListenerStatus>>,
    pub(crate) ledger: Arc<SourceLedger>,
    desk: Arc<Desk>,
    source: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
}

/// A loopback address to listen on.
pub(crate) fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()))
}

impl Lab {
    /// A lab whose source listens there.
    pub(crate) fn new(listen: Listen) -> Self {
        let config = SyslogConfig {
            listen: vec![listen],
            message_bytes_max: 1000,
            connections_max: 1000,
            idle_timeout: None,
            frame_timeout: Duration::from_secs(20),
            receive_buffer: 1024 * 1024,
            tls: None,
            host_name: HOST.to_owned(),
        };
        Self { dir: tempfile::tempdir().unwrap(), config, workers: 1, memory: 64 * 1024 * 1024 }
    }

    /// A lab over TCP, and its address.
    pub(crate) fn tcp() -> (Self, SocketAddr) {
        let address = free_address();
        (Self::new(Listen::Tcp(address)), address)
    }

    /// A path in the lab's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the source.
    #[track_caller]
    pub(crate) fn run(&self) -> Run {
        self.try_run().unwrap()
    }

    pub(crate) fn try_run(&self) -> Result<Run, SyslogError> {
        let (stop, ledger, keys) = (Stop::default(), Arc::<SourceLedger>::default(), Keys::new(1024));
        let channels = (0..self.workers).map(|_| crossbeam_channel::bounded::<Batch>(2));
        let (senders, inboxes): (Vec<_>, Vec<_>) = channels.unzip();
        let context = SourceContext {
            meta: Arc::new(SourceMeta {
                index: 0,
                name: "net".to_owned(),
                formats: Vec::new(),
                constants: Constants::new(ConstantSet::default(), None, "default"),
                zone: logweir_parsers::Zone::UTC,
                parse_message: None,
                keep_original: false,
                ledger: Arc::clone(&ledger),
                listeners: Vec::new(),
            }),
            batches: BatchSender::new(senders),
            memory: Memory::new(self.memory),
            stop: stop.clone(),
            once: false,
        };
        let source = SyslogSource::open(self.config.clone(), context, &keys)?;
        let (listeners, desk) = (source.status().listeners.clone(), Arc::<Desk>::default());
        let workers = inboxes.into_iter().map(|inbox| {
            let (desk, mut encoder) = (Arc::clone(&desk), JsonEncoder::new(Arc::clone(&keys)));
            std::thread::spawn(move || inbox.into_iter().for_each(|batch| desk.take(batch, &mut encoder)))
        });
        let workers = workers.collect();
        let source = std::thread::spawn(move || source.run().unwrap());
        Ok(Run { stop, listeners, ledger, desk, source, workers })
    }
}

impl Desk {
    fn take(&self, batch: Batch, encoder: &mut JsonEncoder) {
        let mut state = self.changed.wait_while(self.state.lock().unwrap(), |state| state.paused).unwrap();
        for event in &batch.events {
            let mut document = Writer::over(Vec::new());
            encoder.write(&batch, event, &mut document);
            state.received.push(Received {
                text: String::from_utf8_lossy(event.line.of(&batch.chunk)).into_owned(),
                id: (batch.stream.id(), event.offset),
                cut: event.flags.contains(EventFlags::CUT),
                document: serde_json::from_slice(document.as_slice()).unwrap(),
            });
        }
        state.batches += 1;
        let Batch { ack, .. } = batch;
        ack.done();
        self.changed.notify_all();
    }
}

impl Run {
    /// Makes the workers wait, as a full output does, or go on.
    pub(crate) fn pause(&self, paused: bool) {
        self.desk.state.lock().unwrap().paused = paused;
        self.desk.changed.notify_all();
    }

    /// The only listener's counts.
    pub(crate) fn listener(&self) -> &ListenerStatus {
        &self.listeners[0]
    }

    /// Batches so far.
    pub(crate) fn batches(&self) -> usize {
        self.desk.state.lock().unwrap().batches
    }

    /// Waits for so many messages and gives them.
    #[track_caller]
    pub(crate) fn expect_count(&self, count: usize) -> Vec<Received> {
        let state = self.desk.state.lock().unwrap();
        let too_few = |state: &mut State| state.received.len() < count;
        let (state, _) = self.desk.changed.wait_timeout_while(state, DEADLINE, too_few).unwrap();
        assert_eq!(state.received.len(), count, "{:?}", state.received.last());
        state.received.clone()
    }

    /// Waits for exactly these messages, in this order; `~` stands behind a cut one.
    #[track_caller]
    pub(crate) fn expect(&self, texts: &[&str]) {
        let received = self.expect_count(texts.len());
        let marked = received.into_iter().map(|message| message.text + if message.cut { "~" } else { "" });
        assert_eq!(marked.collect::<Vec<_>>(), texts);
    }

    /// Waits until a condition is true.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "not in time: {what}");
            assert!(!self.source.is_finished(), "the source has ended: {what}");
            pause();
        }
    }

    /// Asks the source to stop and gives everything that came.
    #[track_caller]
    pub(crate) fn finish(self) -> Vec<Received> {
        self.stop.ask();
        self.source.join().unwrap();
        for worker in self.workers {
            worker.join().unwrap();
        }
        let counts = self.ledger.counts();
        assert!(counts.adds_up() && counts.in_flight == 0, "{counts:?}");
        let received = std::mem::take(&mut self.desk.state.lock().unwrap().received);
        assert_eq!(counts.read, received.len() as u64);
        let mut ids = received.iter().map(|message| message.id).collect::<Vec<_>>();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "two events have one id");
        received
    }
}

/// Lets some milliseconds pass between two looks at a condition.
pub(crate) fn pause() {
    assert!(!Stop::default().wait(Duration::from_millis(5)));
}

/// A connection that has sent these bytes.
pub(crate) fn connect_and_send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(bytes.as_ref()).unwrap();
    connection
}
