//! How many requests to have under way at once.
//!
//! Owns: [`Concurrency`], an adaptive limit: one more after a full round without trouble, half after overload.
//! Promises: the limit stays between one and the configured maximum; it grows only when it was the bottleneck and
//! answers did not become slower.
//! Never: sends anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// A round that takes this many times the usual latency stops growth.
const SLOWER: u32 = 2;
/// A round that takes this many times the usual latency halves the limit.
const MUCH_SLOWER: u32 = 4;
/// Differences below this are noise.
const NOISE: Duration = Duration::from_millis(50);

/// An adaptive limit of concurrent requests.
#[derive(Debug)]
pub struct Concurrency {
    max: usize,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_flight: usize,
    /// Whether the limit was reached in this round.
    saturated: bool,
    successes: usize,
    latency_sum: Duration,
    /// Mean latency of the best round; drifts up so that a lasting change is accepted.
    usual: Option<Duration>,
}

/// The right to have one request under way.
#[derive(Debug)]
pub struct Permit {
    owner: Arc<Concurrency>,
}

impl Concurrency {
    /// A limit between 1 and `max`.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        let max = max.max(1);
        let state = State {
            limit: max.min(2),
            in_flight: 0,
            saturated: false,
            successes: 0,
            latency_sum: Duration::ZERO,
            usual: None,
        };
        Arc::new(Self { max, state: Mutex::new(state), freed: Notify::new() })
    }

    /// Waits for a permit.
    pub async fn acquire(self: &Arc<Self>) -> Permit {
        loop {
            let freed = self.freed.notified();
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            freed.await;
        }
    }

    fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state();
        if state.in_flight >= state.limit {
            state.saturated = true;
            return None;
        }
        state.in_flight += 1;
        state.saturated |= state.in_flight >= state.limit;
        Some(Permit { owner: Arc::clone(self) })
    }

    /// The limit of this moment.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    /// A request was answered without trouble after `latency`.
    pub fn succeeded(&self, latency: Duration) {
        let mut state = self.state();
        state.successes += 1;
        state.latency_sum += latency;
        if state.successes >= state.limit {
            state.end_round(self.max);
        }
        drop(state);
        self.freed.notify_waiters();
    }

    /// The store had too much to do, or did not answer in time.
    pub fn overloaded(&self) {
        let mut state = self.state();
        state.limit = (state.limit / 2).max(1);
        state.begin_round();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin_round(&mut self) {
        self.successes = 0;
        self.latency_sum = Duration::ZERO;
        self.saturated = false;
    }

    fn end_round(&mut self, max: usize) {
        let mean = self.latency_sum / u32::try_from(self.successes).unwrap_or(u32::MAX);
        let usual = self.usual.unwrap_or(mean);
        if mean > usual * MUCH_SLOWER + NOISE {
            self.limit = (self.limit / 2).max(1);
        } else if mean <= usual * SLOWER + NOISE && self.saturated {
            self.limit = (self.limit + 1).min(max);
        }
        self.usual = Some(mean.min(usual + usual / 16 + Duration::from_micros(100)));
        self.begin_round();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.owner.state().in_flight -= 1;
        self.owner.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saturate(limit: &Arc<Concurrency>) -> Vec<Permit> {
        std::iter::from_fn(|| limit.try_acquire()).collect()
    }

    fn round(limit: &Arc<Concurrency>, latency: Duration) {
        let permits = saturate(limit);
        for _ in 0..permits.len() {
            limit.succeeded(latency);
        }
    }

    #[test]
    fn grows_by_one_a_round_up_to_the_maximum() {
        let limit = Concurrency::new(5);
        let limits = (0..5).map(|_| {
            round(&limit, Duration::from_millis(10));
            limit.limit()
        });
        assert_eq!(limits.collect::<Vec<_>>(), [3, 4, 5, 5, 5]);
    }

    #[test]
    fn does_not_grow_when_it_was_not_the_bottleneck() {
        let limit = Concurrency::new(5);
        for _ in 0..10 {
            let permit = limit.try_acquire();
            limit.succeeded(Duration::from_millis(10));
            drop(permit);
        }
        assert_eq!(limit.limit(), 2);
    }

    #[test]
    fn halves_on_overload_and_on_rising_latency() {
        let limit = Concurrency::new(8);
        for _ in 0..10 {
            round(&limit, Duration::from_millis(10));
        }
        assert_eq!(limit.limit(), 8);
        limit.overloaded();
        assert_eq!(limit.limit(), 4);
        round(&limit, Duration::from_secs(1));
        assert_eq!(limit.limit(), 2);
        limit.overloaded();
        limit.overloaded();
        assert_eq!(limit.limit(), 1);
    }

    #[test]
    fn a_lasting_change_of_latency_is_accepted() {
        let limit = Concurrency::new(8);
        round(&limit, Duration::from_millis(10));
        for _ in 0..200 {
            round(&limit, Duration::from_secs(1));
        }
        assert!(limit.limit() > 1, "{}", limit.limit());
    }

    #[tokio::test]
    async fn a_freed_permit_wakes_a_waiter() {
        let limit = Concurrency::new(1);
        let permit = limit.acquire().await;
        let waiter = tokio::spawn({
            let limit = Arc::clone(&limit);
            async move { drop(limit.acquire().await) }
        });
        drop(permit);
        waiter.await.unwrap();
        assert_eq!(limit.in_flight(), 0);
    }
}
