//! What the reports of a payload's records mean.
//!
//! Owns: [`judge`].
//! Promises: a record that a broker refused together with others is tried in smaller company, and rejected only when it
//! is refused alone; what nobody refused for good is sent again.
//! Never: counts a record as delivered that a report does not say so of.

use rdkafka::error::RDKafkaErrorCode;

use super::reports::{Failure, is_unauthorized};
use crate::verdict::{Cause, Mixed, Refusal, Trouble, Verdict};

/// What is to be done with a record.
enum Fate {
    /// It is refused for good.
    Rejected(Refusal),
    /// The batch in which it was is refused; it may not be the cause.
    Suspected(Refusal),
    /// It is sent again.
    Again(Trouble),
}

/// The verdict on a payload of `len` items. `record_of` says in which record an item is.
pub(super) fn judge(len: usize, failures: &[Failure], record_of: impl Fn(usize) -> u32) -> Verdict {
    if failures.is_empty() {
        return Verdict::Delivered { soft_failures: 0 };
    }
    let mut mixed = Mixed::default();
    let (mut suspects, mut suspicion) = (0, None);
    let mut again = Vec::new();
    let mut trouble = None;
    for item in 0..len {
        let record = record_of(item);
        let Ok(place) = failures.binary_search_by_key(&record, |failure| failure.record) else { continue };
        let item = u32::try_from(item).unwrap_or(u32::MAX);
        match fate(failures[place]) {
            Fate::Rejected(refusal) => mixed.rejected.push((item, refusal)),
            Fate::Suspected(refusal) => {
                suspects += 1;
                again.push(item);
                suspicion.get_or_insert(refusal);
            }
            Fate::Again(cause) => {
                again.push(item);
                trouble.get_or_insert(cause);
            }
        }
    }
    if suspects == len
        && let Some(refusal) = suspicion
    {
        return Verdict::Refused(refusal);
    }
    let suspected = suspicion.map(|refusal| {
        Trouble::new(Cause::Unexpected, format!("a batch is sent in parts: {}", refusal.reason))
    });
    mixed.retry = trouble.or(suspected).map(|trouble| (again, trouble));
    Verdict::Mixed(mixed)
}

/// Why a broker refuses a record for good, if this says so.
pub(super) fn refusal(code: RDKafkaErrorCode) -> Option<Refusal> {
    match fate(Failure { record: 0, code, is_local: false }) {
        Fate::Rejected(refusal) | Fate::Suspected(refusal) => Some(refusal),
        Fate::Again(_) => None,
    }
}

fn fate(failure: Failure) -> Fate {
    let Failure { code, is_local, .. } = failure;
    let refusal = |status, label: &str| Refusal { status, label: label.to_owned(), reason: code.to_string() };
    match code {
        RDKafkaErrorCode::MessageSizeTooLarge if is_local => Fate::Rejected(Refusal {
            reason: "the record is larger than `message.max.bytes` of librdkafka".to_owned(),
            ..refusal(413, "record too large")
        }),
        RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge => {
            Fate::Suspected(refusal(413, "record too large"))
        }
        RDKafkaErrorCode::InvalidRecord
        | RDKafkaErrorCode::InvalidTimestamp
        | RDKafkaErrorCode::InvalidMessage
        | RDKafkaErrorCode::InvalidMessageSize
        | RDKafkaErrorCode::PolicyViolation => Fate::Suspected(refusal(400, "record refused")),
        RDKafkaErrorCode::TopicAuthorizationFailed => Fate::Rejected(refusal(403, "topic not authorized")),
        RDKafkaErrorCode::InvalidTopic => Fate::Rejected(refusal(400, "topic refused")),
        code if is_unauthorized(code) => Fate::Again(Trouble::new(Cause::Unauthorized, code.to_string())),
        code => Fate::Again(Trouble::new(Cause::Unexpected, format!("records were not delivered: {code}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(len: usize, failures: &[(u32, RDKafkaErrorCode, bool)]) -> Verdict {
        let failure = |&(record, code, is_local)| Failure { record, code, is_local };
        let failures = failures.iter().map(failure).collect::<Vec<_>>();
        judge(len, &failures, |item| u32::try_from(item / 2).unwrap())
    }

    #[test]
    fn what_has_no_failure_is_delivered() {
        assert_eq!(judged(4, &[]), Verdict::Delivered { soft_failures: 0 });
    }

    #[test]
    fn a_failure_is_one_of_all_items_of_its_record() {
        let Verdict::Mixed(mixed) = judged(6, &[(1, RDKafkaErrorCode::TopicAuthorizationFailed, false)])
        else {
            panic!("not mixed")
        };
        assert_eq!(
            mixed.rejected.iter().map(|(item, refusal)| (*item, refusal.status)).collect::<Vec<_>>(),
            [(2, 403), (3, 403)]
        );
        assert_eq!(mixed.retry, None);
    }

    #[test]
    fn a_record_is_suspected_before_it_is_rejected() {
        let large = RDKafkaErrorCode::MessageSizeTooLarge;
        let Verdict::Mixed(mixed) = judged(4, &[(1, large, false)]) else { panic!("not mixed") };
        assert_eq!(mixed.retry.map(|(items, _)| items), Some(vec![2, 3]));
        assert!(
            matches!(judged(4, &[(0, large, false), (1, large, false)]), Verdict::Refused(refusal) if refusal.status == 413)
        );
        let Verdict::Mixed(mixed) = judged(4, &[(0, large, true)]) else { panic!("not mixed") };
        assert_eq!(mixed.rejected.len(), 2);
    }

    #[test]
    fn everything_else_is_sent_again() {
        for (code, expected) in [
            (RDKafkaErrorCode::UnknownPartition, Cause::Unexpected),
            (RDKafkaErrorCode::PurgeQueue, Cause::Unexpected),
            (RDKafkaErrorCode::ClusterAuthorizationFailed, Cause::Unauthorized),
        ] {
            let Verdict::Mixed(mixed) = judged(2, &[(0, code, false)]) else { panic!("not mixed") };
            let (items, trouble) = mixed.retry.unwrap();
            assert_eq!((items, trouble.cause), (vec![0, 1], expected));
        }
    }
}
