//! Waiting against a deadline, and writing at a steady rate.
//!
//! Promises: a wait ends at its condition or at its deadline, never later by more than one poll; a paced writer keeps
//! its average rate even when a turn came late. Never: a bare sleep in the hope that something has happened by then.

use std::time::{Duration, Instant};

/// The time between two looks at a condition.
const POLL: Duration = Duration::from_millis(5);

/// Parks the calling thread until `deadline`; unparks in between do not shorten the wait.
pub fn pause_until(deadline: Instant) {
    while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Looks until `condition` gives a value or `patience` is over.
pub fn wait_for<T>(patience: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause_until(Instant::now() + POLL);
    }
}

/// Hands out how many items are due, so that a loop of turns keeps an average rate.
#[derive(Debug)]
pub struct Pacer {
    started: Instant,
    per_second: u64,
    handed_out: u64,
    turn: Duration,
}

impl Pacer {
    /// A pacer for `per_second` items in turns of `turn`; the clock starts now.
    pub fn new(per_second: u64, turn: Duration) -> Self {
        Self { started: Instant::now(), per_second, handed_out: 0, turn }
    }

    /// Waits for the next turn and says how many items are due in it; a late turn gets what it missed.
    pub fn next_turn(&mut self) -> u64 {
        pause_until(Instant::now() + self.turn);
        let due = (self.started.elapsed().as_micros() as u64).saturating_mul(self.per_second) / 1_000_000;
        let count = due.saturating_sub(self.handed_out);
        self.handed_out = due;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_at_its_condition_or_at_its_deadline() {
        let mut looks = 0;
        let met = wait_for(Duration::from_secs(10), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(met, Some(3));
        assert_eq!(wait_for(Duration::from_millis(20), || None::<()>), None);
    }

    #[test]
    fn a_pacer_keeps_its_average_rate() {
        let mut pacer = Pacer::new(10_000, Duration::from_millis(10));
        let started = Instant::now();
        let total: u64 = (0..10).map(|_| pacer.next_turn()).sum();
        let due = started.elapsed().as_micros() as u64 / 100;
        assert!(total <= due + 1 && total + 200 >= due, "handed out {total}, due {due}");
    }
}
