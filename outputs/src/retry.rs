//! When to try again.
//!
//! Owns: [`Backoff`], the waits between the attempts of one payload.
//! Promises: waits double up to a limit, each with jitter so that many payloads do not come back at once; a wish of
//! the store is honoured, within an hour; there is no last attempt.
//! Never: sleeps.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest wait that a store may ask for.
const WISH_MAX: Duration = Duration::from_secs(3600);

/// How long to wait between attempts.
#[derive(Clone, Copy, Debug)]
pub struct RetryConfig {
    /// The longest first wait.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { base: Duration::from_millis(100), max: Duration::from_secs(30) }
    }
}

/// The waits of one payload.
#[derive(Clone, Debug)]
pub struct Backoff {
    config: RetryConfig,
    attempt: u32,
    seed: RandomState,
}

impl Backoff {
    /// The waits before the first failure.
    #[must_use]
    pub fn new(config: RetryConfig) -> Self {
        Self { config, attempt: 0, seed: RandomState::new() }
    }

    /// The next wait: between half and all of the doubled one, and at least `wish`.
    pub fn next(&mut self, wish: Option<Duration>) -> Duration {
        let doubled = self.config.base.saturating_mul(1 << self.attempt.min(20)).min(self.config.max);
        let random = self.seed.hash_one(self.attempt) % 1024;
        self.attempt += 1;
        let jitter = doubled.mul_f64(random as f64 / 2048.0);
        (doubled / 2 + jitter).max(wish.unwrap_or_default().min(WISH_MAX))
    }

    /// Something got through: the next failure is a first one.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let mut backoff = Backoff::new(RetryConfig::default());
        for expected in [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000] {
            let wait = backoff.next(None).as_millis();
            assert!((expected / 2..=expected).contains(&wait), "{wait} for {expected}");
        }
    }

    #[test]
    fn a_wish_is_honoured_within_an_hour() {
        let mut backoff = Backoff::new(RetryConfig::default());
        assert_eq!(backoff.next(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(backoff.next(Some(Duration::from_secs(1 << 40))), WISH_MAX);
    }

    #[test]
    fn waits_differ_between_payloads() {
        let waits = (0..20).map(|_| Backoff::new(RetryConfig::default()).next(None));
        let distinct = waits.collect::<std::collections::BTreeSet<_>>();
        assert!(distinct.len() > 5, "{distinct:?}");
    }
}
