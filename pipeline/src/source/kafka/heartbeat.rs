//! Answers of the group that were lost.
//!
//! Owns: [`Reader::join_again_if_unsure`], and leaving what this member reads when it is.
//! Promises: a member that may have missed what it is to read joins again as soon as the group answers.
//! Never: joins again while the group does not answer.
//!
//! Where the brokers assign partitions, they say so once, in the answer to a heartbeat. librdkafka (2.12) waits for an answer no
//! longer than until the next heartbeat is due, and does not ask anew for what a late one held: it would read on as before,
//! while nobody reads the partitions that the group took for its own, and nobody is given those that it should have given back.
//! Brokers answer late when one of them has died, which is when partitions move.

use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::group::Change;
use super::reader::{End, Reader};

/// How long the group must have answered, seen from the last heartbeat that it did not, before it is joined again.
const CALM: Duration = Duration::from_secs(5);

impl Reader<'_> {
    /// Ends the reading if this member may not know what it is to read.
    pub(super) fn join_again_if_unsure(&self) -> Result<(), End> {
        if !self.consumer.context().is_unsure_for(CALM) {
            return Ok(());
        }
        let (source, group) = (&*self.context.meta.name, &*self.group);
        tracing::warn!(
            source,
            group,
            "the group did not answer in time, so this member may not know what it is to read; joins again"
        );
        Err(End::JoinAgain)
    }

    /// Gives everything back before the group is joined again.
    pub(super) fn give_all_back(mut self) -> Result<(), End> {
        let all = self.assigned.all();
        self.give_back(&all)?;
        self.show(&Change::Revoked(all));
        Ok(())
    }
}
