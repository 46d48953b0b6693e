//! How often something may be sent.
//!
//! Owns: [`RateConfig`] and [`RateLimit`], which makes senders wait.
//! Promises: within any `per` there are at most `requests` starts; who comes too early waits, in turn, and nothing is
//! dropped; memory is bounded by `requests`.
//! Never: knows what is sent.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// At most so many in any span of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateConfig {
    /// How many; at least one.
    pub requests: usize,
    /// In which time.
    pub per: Duration,
}

/// The last starts, and when the next one may be.
#[derive(Debug)]
pub struct RateLimit {
    config: RateConfig,
    /// The last starts, of which there are never more than `requests`; some may lie ahead.
    starts: Mutex<VecDeque<Instant>>,
}

impl RateLimit {
    /// A limit that nothing was sent under yet.
    #[must_use]
    pub fn new(config: RateConfig) -> Self {
        let config = RateConfig { requests: config.requests.max(1), ..config };
        Self { config, starts: Mutex::default() }
    }

    /// Waits until one more may start. Who gives up waiting has used up a start.
    pub async fn wait(&self) {
        let start = self.reserve(Instant::now());
        sleep_until(start).await;
    }

    /// Takes the next start that may be, at `now` or later.
    fn reserve(&self, now: Instant) -> Instant {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut start = now;
        if starts.len() == self.config.requests
            && let Some(oldest) = starts.pop_front()
        {
            start = start.max(oldest + self.config.per);
        }
        starts.push_back(start);
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits of senders that come at these seconds.
    fn waits(requests: usize, arrivals: &[u64]) -> Vec<u64> {
        let limit = RateLimit::new(RateConfig { requests, per: Duration::from_secs(60) });
        let begin = Instant::now();
        let wait = |&second: &u64| {
            let now = begin + Duration::from_secs(second);
            limit.reserve(now).duration_since(now).as_secs()
        };
        arrivals.iter().map(wait).collect()
    }

    #[test]
    fn the_first_go_at_once_and_the_others_in_turn() {
        assert_eq!(waits(2, &[0, 1, 2, 3, 4]), [0, 0, 58, 58, 116]);
    }

    #[test]
    fn no_span_has_more_than_allowed_however_they_come() {
        let arrivals = [0, 59, 60, 61, 62, 200, 200, 200, 200];
        let starts = waits(3, &arrivals).into_iter().zip(arrivals).map(|(wait, second)| wait + second);
        let starts = starts.collect::<Vec<_>>();
        for group in starts.windows(4) {
            assert!(group[3] - group[0] >= 60, "{starts:?}");
        }
    }

    #[test]
    fn a_pause_gives_the_whole_allowance_back_and_no_more() {
        assert_eq!(waits(2, &[0, 0, 600, 600, 600]), [0, 0, 0, 0, 60]);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_takes_as_long_as_the_limit_says() {
        let limit = RateLimit::new(RateConfig { requests: 1, per: Duration::from_secs(60) });
        let begin = Instant::now();
        limit.wait().await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        limit.wait().await;
        assert_eq!(begin.elapsed().as_secs(), 60);
    }
}
