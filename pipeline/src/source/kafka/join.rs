//! Why nobody assigns partitions: a group whose members agree among themselves may let in no member that leaves it to the
//! brokers, and librdkafka does not say so.
//!
//! Owns: [`Join`], and asking the group for its members while no assignment comes.
//! Promises: where the config leaves the protocol open the source goes over to the group's.
//! Never: asks once an assignment has come.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::reader::{End, Reader};
use super::start::ANSWER_MAX;
use super::{GroupProtocol, KafkaSourceError};

/// How long an assignment may take before the group is asked for its members, and between two such questions.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// What to do while no assignment comes.
pub(super) struct Join {
    /// When to ask the group for its members; never once it is settled who assigns.
    ask_at: Option<Instant>,
    /// Whether the protocol may be changed.
    is_open: bool,
    /// The rebalances before this member joined.
    rebalances: u64,
}

impl Join {
    /// A member that joins by the protocol of the config, after so many rebalances of the source.
    pub(super) fn new(protocol: Option<GroupProtocol>, rebalances: u64) -> Self {
        let is_assigned_by_brokers = protocol.unwrap_or_default() == GroupProtocol::Consumer;
        let ask_at = is_assigned_by_brokers.then(|| Instant::now() + ASK_EVERY);
        Self { ask_at, is_open: protocol.is_none(), rebalances }
    }
}

impl Reader<'_> {
    /// Asks why no assignment comes.
    pub(super) fn ask_who_assigns_if_due(&mut self) -> Result<(), End> {
        let Some(at) = self.join.ask_at else { return Ok(()) };
        if self.status.rebalances.load(Relaxed) > self.join.rebalances {
            self.join.ask_at = None;
            return Ok(());
        }
        if Instant::now() < at {
            return Ok(());
        }
        self.join.ask_at = Some(Instant::now() + ASK_EVERY);
        let source = &*self.context.meta.name;
        let groups = match self.consumer.client().fetch_group_list(Some(&self.group), ANSWER_MAX) {
            Ok(groups) => groups,
            Err(error) => {
                tracing::debug!(source, %error, "cannot ask for the members of the group");
                return Ok(());
            }
        };
        // The question is of the classic protocol: of groups whose partitions the brokers assign it tells no members.
        if groups.groups().iter().all(|group| group.members().is_empty()) {
            return Ok(());
        }
        let error = KafkaSourceError::ClassicMembers { group: self.group.clone() };
        if self.join.is_open {
            return Err(End::Source(error));
        }
        self.join.ask_at = None;
        tracing::warn!(
            source,
            %error,
            "waits until they are gone; to read beside them, leave `group_protocol` out, or take \"classic\""
        );
        Ok(())
    }
}
