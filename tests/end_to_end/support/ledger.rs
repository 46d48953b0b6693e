//! The ledger as the admin API tells it, and a witness that looks at it all the time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{http, pause_until};

/// The sums over all sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) read: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) rejected: u64,
    pub(crate) in_flight: u64,
}

impl Ledger {
    /// Asks a daemon. `None` when it does not answer: it may be dead, which is not the ledger's business.
    pub(crate) fn read(admin: SocketAddr) -> Option<Self> {
        let answer = http::get(admin, "/api/ledger").ok().filter(|answer| answer.status == 200)?;
        Some(Self::sum(&answer.json()))
    }

    fn sum(answer: &Value) -> Self {
        let mut ledger = Self::default();
        let sources = answer["sources"].as_object().into_iter().flatten();
        for (_, source) in sources {
            ledger.read += number(&source["read"]);
            ledger.delivered += number(&source["delivered"]);
            ledger.rejected += number(&source["rejected"]);
            ledger.in_flight += number(&source["in_flight"]);
            ledger.dropped += source["dropped"].as_object().unwrap().values().map(number).sum::<u64>();
        }
        ledger
    }

    pub(crate) fn adds_up(&self) -> bool {
        self.read == self.delivered + self.dropped + self.rejected + self.in_flight
    }
}

#[track_caller]
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("the ledger holds {value} where a number belongs"))
}

/// A thread that reads the ledger again and again until it is asked what it saw.
#[derive(Debug)]
pub(crate) struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Ledger>>,
}

impl Witness {
    /// Begins to look; daemons may come and go at `admin` meanwhile.
    pub(crate) fn watch(admin: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut ledgers = Vec::new();
            while !seen.load(Ordering::Relaxed) {
                ledgers.extend(Ledger::read(admin));
                pause_until(Instant::now() + Duration::from_millis(25));
            }
            ledgers
        });
        Self { stop, thread }
    }

    /// Ends and fails the test if any of the ledgers did not add up, or none was seen.
    #[track_caller]
    pub(crate) fn assert_it_always_added_up(self) {
        self.stop.store(true, Ordering::Relaxed);
        let ledgers = self.thread.join().unwrap();
        assert!(!ledgers.is_empty(), "no ledger could be read");
        let wrong: Vec<_> = ledgers.iter().filter(|ledger| !ledger.adds_up()).collect();
        assert!(wrong.is_empty(), "{} of {} ledgers did not add up: {wrong:?}", wrong.len(), ledgers.len());
    }
}
