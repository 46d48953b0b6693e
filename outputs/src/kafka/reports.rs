//! What librdkafka tells of a producer's records and of its cluster.
//!
//! Owns: [`Reports`], which its threads fill and the client reads.
//! Promises: a record that is delivered costs two atomic operations and no allocation; only failures are listed.
//! Never: blocks or panics, since librdkafka's own threads call it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};
use rdkafka::statistics::Statistics;
use tokio::sync::Notify;

use super::statistics::ProducerStatistics;
use crate::status::{OutputState, OutputStatus};

/// What became of the records of the payload that is under way, and how the cluster is.
#[derive(Debug)]
pub(super) struct Reports {
    /// Where a producer's figures go.
    status: Arc<OutputStatus>,
    /// Records of which no report came, and one more while records are being handed over.
    pending: AtomicUsize,
    settled: Notify,
    failures: Mutex<Vec<Failure>>,
    /// Whether there is something in `trouble`.
    in_trouble: AtomicBool,
    trouble: Mutex<ClusterTrouble>,
}

/// A record that was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Its number in the payload.
    pub(super) record: u32,
    /// Why.
    pub(super) code: RDKafkaErrorCode,
    /// Whether it never left this process.
    pub(super) is_local: bool,
}

/// What librdkafka said of the cluster since the last record was delivered.
#[derive(Debug, Default)]
struct ClusterTrouble {
    all_down: bool,
    refuses_us: bool,
    reason: Option<String>,
}

impl Reports {
    /// No record is under way.
    pub(super) fn new(status: Arc<OutputStatus>) -> Self {
        Self {
            status,
            pending: AtomicUsize::default(),
            settled: Notify::default(),
            failures: Mutex::default(),
            in_trouble: AtomicBool::default(),
            trouble: Mutex::default(),
        }
    }

    /// Records are about to be handed over.
    pub(super) fn begin(&self) {
        self.failures().clear();
        self.pending.store(1, Ordering::Release);
    }

    /// A record is about to be handed over.
    #[inline]
    pub(super) fn expect(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// The record that was expected is not under way after all, or all records are handed over.
    #[inline]
    pub(super) fn expect_less(&self) {
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.settled.notify_one();
        }
    }

    /// A record that librdkafka did not take.
    pub(super) fn refused(&self, record: u32, code: RDKafkaErrorCode) {
        self.failures().push(Failure { record, code, is_local: true });
    }

    /// Ends when there is a report of every record.
    pub(super) async fn settled(&self) {
        while self.pending.load(Ordering::Acquire) > 0 {
            self.settled.notified().await;
        }
    }

    /// The records that were not delivered, in ascending order.
    pub(super) fn take_failures(&self) -> Vec<Failure> {
        let mut failures = std::mem::take(&mut *self.failures());
        failures.sort_unstable_by_key(|failure| failure.record);
        failures
    }

    /// What the cluster's trouble is, if it has any.
    pub(super) fn trouble(&self) -> Option<(OutputState, String)> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = trouble.reason.as_deref().unwrap_or("no reason is known");
        let state = if trouble.refuses_us { OutputState::Paused } else { OutputState::Retrying };
        match trouble.all_down {
            true => Some((state, format!("no broker can be reached: {reason}"))),
            false => trouble.reason.is_some().then(|| (state, reason.to_owned())),
        }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Vec<Failure>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn end_trouble(&self) {
        self.in_trouble.store(false, Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = ClusterTrouble::default();
    }

    fn begin_trouble(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if code == Some(RDKafkaErrorCode::AllBrokersDown) {
            trouble.all_down = true;
        } else {
            trouble.refuses_us = code.is_some_and(is_unauthorized);
            trouble.reason = Some(reason.to_owned());
        }
        self.in_trouble.store(true, Ordering::Relaxed);
    }
}

/// Whether the cluster does not know us or does not let us.
pub(super) fn is_unauthorized(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::SSL
    )
}

/// What a producer calls.
#[derive(Clone, Debug)]
pub(super) struct Callbacks(pub(super) Arc<Reports>);

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        self.0.begin_trouble(error.rdkafka_error_code(), reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.0.status.set_producer(ProducerStatistics::of(&statistics));
    }
}

impl ProducerContext<NoCustomPartitioner> for Callbacks {
    /// The number of the record in its payload.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, record: usize) {
        let reports = &self.0;
        match result {
            Ok(_) if reports.in_trouble.load(Ordering::Relaxed) => reports.end_trouble(),
            Ok(_) => {}
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                let record = u32::try_from(record).unwrap_or(u32::MAX);
                reports.failures().push(Failure { record, code, is_local: false });
            }
        }
        reports.expect_less();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports() -> Reports {
        Reports::new(Arc::new(OutputStatus::new("test", "kafka")))
    }

    #[tokio::test]
    async fn a_payload_is_settled_when_every_report_is_in() {
        let reports = reports();
        reports.begin();
        for _ in 0..3 {
            reports.expect();
        }
        let mut settled = std::pin::pin!(reports.settled());
        for _ in 0..3 {
            reports.expect_less();
            assert!(futures_poll(settled.as_mut()).await.is_none());
        }
        reports.expect_less();
        assert!(futures_poll(settled.as_mut()).await.is_some());
    }

    /// Polls once.
    async fn futures_poll<F: Future<Output = ()>>(mut future: std::pin::Pin<&mut F>) -> Option<()> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(future.as_mut().poll(context).is_ready().then_some(()))
        })
        .await
    }

    #[test]
    fn failures_come_in_the_order_of_their_records() {
        let reports = reports();
        reports.begin();
        reports.refused(7, RDKafkaErrorCode::QueueFull);
        reports.refused(2, RDKafkaErrorCode::QueueFull);
        let records = reports.take_failures().iter().map(|failure| failure.record).collect::<Vec<_>>();
        assert_eq!(records, [2, 7]);
        assert_eq!(reports.take_failures(), []);
    }

    #[test]
    fn trouble_says_the_broker_s_reason_until_something_is_delivered() {
        let reports = reports();
        assert_eq!(reports.trouble(), None);
        let refused = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        reports.begin_trouble(Some(RDKafkaErrorCode::BrokerTransportFailure), refused);
        reports.begin_trouble(Some(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(
            reports.trouble(),
            Some((OutputState::Retrying, format!("no broker can be reached: {refused}")))
        );
        reports.begin_trouble(Some(RDKafkaErrorCode::Authentication), "wrong password");
        assert_eq!(reports.trouble().map(|(state, _)| state), Some(OutputState::Paused));
        reports.end_trouble();
        assert_eq!(reports.trouble(), None);
    }
}
