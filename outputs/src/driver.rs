//! The one loop of all outputs: receive, send, judge, try again, settle.
//!
//! Owns: [`Driver`], one a configured output.
//! Promises: each item of each payload is settled exactly once: delivered, or in the dead letter and rejected; what
//! is neither is sent again without end, or given back to its source; the loop ends when every lane is gone and everything
//! is settled.
//! Never: looks into a body.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use logweir_pipeline::memory::{Held, Memory};
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::concurrency::{Concurrency, Permit};
use crate::dead_letter::{DeadLetter, Record};
use crate::payload::Payload;
use crate::report::Reporter;
use crate::retry::{Backoff, RetryConfig};
use crate::status::{OutputState, OutputStatus, add};
use crate::verdict::{Cause, Mixed, Refusal, Trouble, Verdict};

/// The first wait when the store does not let us in: nobody changes a configuration in milliseconds.
const UNAUTHORIZED_WAIT: Duration = Duration::from_secs(2);

/// How an output sends.
#[derive(Clone, Copy, Debug)]
pub struct DriverConfig {
    /// The most requests under way at once.
    pub concurrency_max: usize,
    /// The waits between attempts.
    pub retry: RetryConfig,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self { concurrency_max: 8, retry: RetryConfig::default() }
    }
}

/// How a driver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverEnd {
    /// Every lane is gone and everything is settled.
    Drained,
    /// The output itself has ended, as a closed pipe has; what was still on its way is not acknowledged.
    Closed(String),
}

/// The loop of one output.
#[derive(Debug)]
pub struct Driver<C> {
    shared: Arc<Shared<C>>,
}

#[derive(Debug)]
struct Shared<C> {
    client: C,
    concurrency: Arc<Concurrency>,
    retry: RetryConfig,
    queue: Arc<Memory>,
    status: Arc<OutputStatus>,
    reporter: Reporter,
    dead_letter: Option<Arc<DeadLetter>>,
    /// The store came back: payloads that found it away need not wait longer.
    back: Notify,
}

/// The output has ended for good.
struct Ended(String);

impl<C: Client> Driver<C> {
    /// A driver for this client. `queue` counts the bytes of payloads; `dead_letter` takes what is refused.
    #[must_use]
    pub fn new(
        client: C,
        config: DriverConfig,
        queue: Arc<Memory>,
        status: Arc<OutputStatus>,
        dead_letter: Option<Arc<DeadLetter>>,
    ) -> Self {
        let concurrency = Concurrency::new(if C::ORDERED { 1 } else { config.concurrency_max });
        status.concurrency.store(concurrency.limit(), Relaxed);
        let reporter = Reporter::new(Arc::clone(&status));
        let retry = config.retry;
        let back = Notify::new();
        let shared = Shared { client, concurrency, retry, queue, status, reporter, dead_letter, back };
        Self { shared: Arc::new(shared) }
    }

    /// Delivers payloads until every sender is gone.
    pub async fn run(self, mut payloads: Receiver<Payload>) -> DriverEnd {
        let mut deliveries = JoinSet::new();
        let mut waiting = None;
        let mut more = true;
        let end = loop {
            tokio::select! {
                biased;
                Some(ended) = deliveries.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(Ended(reason))) => break DriverEnd::Closed(reason),
                    Err(error) => self.shared.reporter.broken(&error),
                },
                permit = self.shared.concurrency.acquire(), if waiting.is_some() => {
                    if let Some(payload) = waiting.take() {
                        deliveries.spawn(Arc::clone(&self.shared).deliver(payload, permit));
                    }
                }
                payload = payloads.recv(), if more && waiting.is_none() => {
                    more = payload.is_some();
                    waiting = payload;
                }
                else => break DriverEnd::Drained,
            }
        };
        self.shared.status.set_state(OutputState::Ended);
        end
    }
}

/// What is left of a payload after an attempt.
enum Rest {
    Nothing,
    /// To be sent again after a wait.
    Again(Payload, Trouble),
    /// To be sent in two parts.
    Halves(Payload, Payload),
}

impl<C: Client> Shared<C> {
    /// Sends a payload, and what is left of it, until everything is settled.
    async fn deliver(self: Arc<Self>, payload: Payload, permit: Permit) -> Result<(), Ended> {
        let mut pending = vec![payload];
        let mut permit = Some(permit);
        let mut backoff = Backoff::new(self.retry);
        while let Some(payload) = pending.pop() {
            let current = match permit.take() {
                Some(permit) => permit,
                None => self.concurrency.acquire().await,
            };
            let sent = payload.len();
            let verdict = self.attempt(&payload).await;
            let rest = self.settle(payload, verdict).await?;
            permit = Some(current);
            match rest {
                Rest::Nothing => {}
                Rest::Halves(first, second) => pending.extend([second, first]),
                Rest::Again(rest, trouble) => {
                    if rest.len() < sent {
                        backoff.reset();
                    }
                    add(&self.status.retried, rest.len());
                    pending.push(rest);
                    if !C::ORDERED {
                        permit = None;
                    }
                    self.wait(&mut backoff, &trouble).await;
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, payload: &Payload) -> Verdict {
        add(&self.status.requests, 1);
        add(&self.status.bytes, payload.body().len());
        self.status.in_flight.store(self.concurrency.in_flight(), Relaxed);
        let start = Instant::now();
        let verdict = self.client.send(payload).await;
        if self.is_overload(&verdict) {
            self.concurrency.overloaded();
        } else if matches!(verdict, Verdict::Delivered { .. } | Verdict::Mixed(_)) {
            self.concurrency.succeeded(start.elapsed());
        }
        self.status.in_flight.store(self.concurrency.in_flight().saturating_sub(1), Relaxed);
        self.status.concurrency.store(self.concurrency.limit(), Relaxed);
        verdict
    }

    fn is_overload(&self, verdict: &Verdict) -> bool {
        let trouble = match verdict {
            Verdict::Retry(trouble) => Some(trouble),
            Verdict::Mixed(mixed) => mixed.retry.as_ref().map(|(_, trouble)| trouble),
            _ => None,
        };
        trouble.is_some_and(|trouble| trouble.cause == Cause::Overload)
    }

    /// Settles what the verdict settles.
    async fn settle(&self, payload: Payload, verdict: Verdict) -> Result<Rest, Ended> {
        match verdict {
            Verdict::Delivered { soft_failures } => {
                self.healthy();
                add(&self.status.delivered, payload.len());
                self.status.soft_failures.fetch_add(soft_failures, Relaxed);
                payload.done();
                Ok(Rest::Nothing)
            }
            Verdict::Mixed(mixed) => Ok(self.settle_mixed(payload, mixed).await),
            Verdict::Retry(trouble) => Ok(Rest::Again(payload, trouble)),
            Verdict::Abandoned => {
                add(&self.status.retried, payload.len());
                payload.abandoned();
                Ok(Rest::Nothing)
            }
            Verdict::Refused(refusal) => Ok(self.settle_refused(payload, refusal).await),
            Verdict::Closed(reason) => Err(Ended(reason)),
        }
    }

    fn healthy(&self) {
        if self.reporter.healthy() {
            self.back.notify_waiters();
        }
    }

    async fn settle_mixed(&self, payload: Payload, mixed: Mixed) -> Rest {
        let Mixed { retry, rejected, soft_failures } = mixed;
        self.status.soft_failures.fetch_add(soft_failures, Relaxed);
        let again = retry.as_ref().map_or(0, |(items, _)| items.len());
        self.reject(&payload, &rejected).await;
        add(&self.status.delivered, payload.len() - again - rejected.len());
        let Some((items, trouble)) = retry else {
            self.healthy();
            payload.done();
            return Rest::Nothing;
        };
        if items.len() == payload.len() {
            return Rest::Again(payload, trouble);
        }
        match payload.select(&items, |bytes| self.hold(bytes)) {
            Ok(rest) => {
                payload.done();
                Rest::Again(rest, trouble)
            }
            // Sending everything again is right too: the store knows what it has.
            Err(error) => Rest::Again(payload, Trouble::new(Cause::Unexpected, error.to_string())),
        }
    }

    async fn settle_refused(&self, payload: Payload, refusal: Refusal) -> Rest {
        let items = (0..u32::try_from(payload.len()).unwrap_or(u32::MAX)).collect::<Vec<_>>();
        if items.len() <= 1 {
            let rejected = items.iter().map(|&item| (item, refusal.clone())).collect::<Vec<_>>();
            self.reject(&payload, &rejected).await;
            payload.done();
            return Rest::Nothing;
        }
        self.reporter
            .trouble(OutputState::Retrying, &format!("a request is sent in parts: {}", refusal.label));
        let (first, second) = items.split_at(items.len() / 2);
        let half = |items| payload.select(items, |bytes| self.hold(bytes));
        match (half(first), half(second)) {
            (Ok(first), Ok(second)) => {
                payload.done();
                Rest::Halves(first, second)
            }
            (Err(error), _) | (_, Err(error)) => {
                Rest::Again(payload, Trouble::new(Cause::Unexpected, error.to_string()))
            }
        }
    }

    /// Puts items into the dead letter, durably, and then counts them as rejected.
    async fn reject(&self, payload: &Payload, rejected: &[(u32, Refusal)]) {
        if rejected.is_empty() {
            return;
        }
        if let Some(dead_letter) = &self.dead_letter {
            let records = self.records(payload, rejected);
            dead_letter.store(records, &self.reporter).await;
        }
        for (item, _) in rejected {
            payload.rejected(*item as usize);
        }
        add(&self.status.rejected, rejected.len());
        if let Some((_, refusal)) = rejected.first() {
            self.reporter.rejected(rejected.len(), refusal);
        }
    }

    fn records(&self, payload: &Payload, rejected: &[(u32, Refusal)]) -> Vec<Record> {
        let time = logweir_pipeline::time::now();
        let plain = payload.plain().unwrap_or_default();
        let record = |(item, refusal): &(u32, Refusal)| {
            let item = *item as usize;
            let document = self.client.document(plain.get(payload.range(item)).unwrap_or_default());
            Record::new(time, self.status.name(), refusal, payload.target_of(item), document)
        };
        rejected.iter().map(record).collect()
    }

    async fn wait(&self, backoff: &mut Backoff, trouble: &Trouble) {
        let unauthorized = trouble.cause == Cause::Unauthorized;
        let wish = if unauthorized { Some(UNAUTHORIZED_WAIT) } else { None }.max(trouble.after);
        let state = if unauthorized { OutputState::Paused } else { OutputState::Retrying };
        self.reporter.trouble(state, &trouble.reason);
        let wait = sleep(backoff.next(wish));
        if trouble.cause == Cause::Unreachable && !C::ORDERED {
            tokio::select! {
                () = wait => {}
                () = self.back.notified() => {}
            }
        } else {
            wait.await;
        }
    }

    /// A copy of a part of a body: what it is a part of is already in the queue, so it never waits.
    fn hold(&self, bytes: usize) -> Held {
        self.queue.take(bytes)
    }
}

#[cfg(test)]
mod tests;
