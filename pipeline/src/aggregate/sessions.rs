//! Session windows.
//!
//! Owns: [`Sessions`].
//! Promises: two events of a group are in one session when no pause between them is longer than the gap; a session that would
//! be longer than the longest allowed ends, and the next event begins another; results come once, in the order of their ends.
//! Never: sees an event that is late.
//!
//! Events are taken in the order of their times, when the watermark has passed them: a group has one session at a time, which an
//! event continues or ends, and an event that joins two others that came before it finds nothing to mend.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use foldhash::fast::FixedState;

use super::function::{Input, Kept, Plan};
use super::rows::{Full, Rows};
use super::samples::{OwnedSample, Sample};
use crate::reorder::Reorder;
use crate::snapshot::{Decoder, Encoder, Saved};
use crate::window::Window;

/// The state of session windows.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    gap: i64,
    max: i64,
    kept: Vec<Kept>,
    /// Which inputs are JSON.
    json: Vec<bool>,
    groups_max: usize,
    waiting: Reorder<OwnedSample>,
    active: HashMap<u128, Session, FixedState>,
    /// When the session of a group is to be looked at. One entry a session; it may have gone on since.
    due: BinaryHeap<Reverse<(i64, u128)>>,
    /// Sessions that are over and wait for their turn.
    over: Vec<Session>,
    refused: u64,
}

#[derive(Clone, Debug)]
struct Session {
    window: Window,
    rows: Rows,
}

impl Sessions {
    pub(super) fn new(gap: i64, max: i64, plan: &Plan, groups_max: usize) -> Self {
        Self {
            gap,
            max,
            kept: plan.kept.clone(),
            json: plan.inputs.iter().map(|input| matches!(input, Input::Json(_))).collect(),
            groups_max,
            waiting: Reorder::default(),
            active: HashMap::default(),
            due: BinaryHeap::new(),
            over: Vec::new(),
            refused: 0,
        }
    }

    /// Takes an event that is not late.
    pub(super) fn add(&mut self, sample: &Sample<'_>) {
        self.waiting.push(sample.time, sample.origin, sample.into_owned(&self.json));
    }

    /// Ends the sessions that nothing can continue any more, and gives each to `take`.
    pub(super) fn close(&mut self, watermark: i64, mut take: impl FnMut(Window, &Rows)) {
        while let Some((_, sample)) = self.waiting.pop_before(watermark) {
            self.apply(&sample.as_sample());
        }
        while let Some(&Reverse((deadline, hash))) = self.due.peek()
            && deadline < watermark
        {
            self.due.pop();
            self.look_at(hash, watermark);
        }
        let gap = self.gap;
        let is_over = |session: &mut Session| session.window.end.saturating_add(gap) < watermark;
        let mut over = self.over.extract_if(.., is_over).collect::<Vec<_>>();
        over.sort_by(|one, other| {
            let key = |session: &Session| session.window;
            key(one).cmp(&key(other)).then_with(|| one.rows.group(0).cmp(other.rows.group(0)))
        });
        over.iter().for_each(|session| take(session.window, &session.rows));
    }

    fn apply(&mut self, sample: &Sample<'_>) {
        if let Some(session) = self.active.get_mut(&sample.hash) {
            let Window { start, end } = session.window;
            let continues = sample.time.saturating_sub(end) <= self.gap;
            if continues && sample.time.saturating_sub(start) <= self.max {
                session.window.end = sample.time;
                self.refused += u64::from(session.rows.add(sample, 1).is_err());
                return;
            }
            self.over.extend(self.active.remove(&sample.hash));
        } else if self.active.len() >= self.groups_max {
            self.refused += 1;
            return;
        } else {
            self.due.push(Reverse((sample.time.saturating_add(self.gap), sample.hash)));
        }
        let mut rows = Rows::new(&self.kept);
        if let Err(Full) = rows.add(sample, 1) {
            self.refused += 1;
        }
        let window = Window { start: sample.time, end: sample.time };
        self.active.insert(sample.hash, Session { window, rows });
    }

    /// Ends the session of a group, or looks at it again when it may have ended.
    fn look_at(&mut self, hash: u128, watermark: i64) {
        let Some(session) = self.active.get(&hash) else { return };
        let deadline = session.window.end.saturating_add(self.gap);
        if deadline < watermark {
            self.over.extend(self.active.remove(&hash));
        } else {
            self.due.push(Reverse((deadline, hash)));
        }
    }

    pub(super) fn save(&self, out: &mut Encoder<'_>) {
        self.waiting.save(out);
        let sessions = self.active.iter().map(|(hash, session)| (Some(*hash), session));
        let sessions = sessions.chain(self.over.iter().map(|session| (None, session)));
        out.u64((self.active.len() + self.over.len()) as u64);
        for (hash, session) in sessions {
            hash.save(out);
            out.i64(session.window.start);
            out.i64(session.window.end);
            session.rows.save(out);
        }
    }

    /// Takes over what windows of the same settings have saved.
    pub(super) fn load(&mut self, from: &mut Decoder<'_>) -> Option<()> {
        self.waiting = Reorder::load(from, |sample: &OwnedSample| sample.place())?;
        for _ in 0..from.u64()? {
            let hash = Option::<u128>::load(from)?;
            let window = Window { start: from.i64()?, end: from.i64()? };
            let session = Session { window, rows: Rows::load(&self.kept, from)? };
            match hash {
                Some(hash) => {
                    self.due.push(Reverse((window.end.saturating_add(self.gap), hash)));
                    self.active.insert(hash, session);
                }
                None => self.over.push(session),
            }
        }
        Some(())
    }

    /// How many events found no room since it was asked last.
    pub(super) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Groups with a session, and sessions that wait for their turn.
    pub(super) fn groups(&self) -> usize {
        self.active.len() + self.over.len()
    }

    /// About how many bytes they hold.
    pub(super) fn bytes(&self) -> usize {
        let sessions = self.active.values().chain(&self.over);
        let waiting = self.waiting.waiting() * size_of::<OwnedSample>();
        sessions.map(|session| size_of::<Session>() + session.rows.bytes()).sum::<usize>() + waiting
    }
}
