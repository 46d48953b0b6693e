//! The names of a line's members, remembered for the next line: lines of one log have the same members in the same
//! order, so a name is compared with the one that is due instead of being read and looked up.
//!
//! Owns: [`Shape`], which a sink may keep between the lines.
//! Promises: a guess is compared byte for byte, so it changes nothing but the time; the memory is fixed.
//! Never: remembers a value.

use super::application::Role;
use crate::KeyId;

/// Members that are remembered of a line.
const MEMBERS_MAX: usize = 48;
/// Longest text from the quote of a name to its value that is remembered, in bytes.
const TEXT_BYTES_MAX: usize = 32;

/// The members of the lines so far, in their order.
#[derive(Clone, Debug)]
pub struct Shape {
    members: [Remembered; MEMBERS_MAX],
    /// The member that is due.
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    /// The line from the name's quote to the value, filled up with zeros. Nothing is remembered while it is empty.
    text: [u8; TEXT_BYTES_MAX],
    text_len: usize,
    known: Known,
}

/// What was found out about a member before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) name_len: usize,
    pub(super) role: Role,
    /// The key of the name, if the name stands for itself.
    pub(super) key: Option<KeyId>,
}

impl Default for Shape {
    fn default() -> Self {
        let known = Known { name_len: 0, role: Role::Own, key: None };
        let nothing = Remembered { text: [0; TEXT_BYTES_MAX], text_len: 0, known };
        Self { members: [nothing; MEMBERS_MAX], next: 0 }
    }
}

impl Shape {
    /// A line begins.
    #[inline]
    pub(super) fn begin_line(&mut self) {
        self.next = 0;
    }

    /// The member that `line` begins with, if it is the one that is due or the one after it, and where its value begins.
    #[inline]
    pub(super) fn guess(&mut self, line: &[u8]) -> Option<(usize, Known)> {
        for place in [self.next, self.next + 1] {
            let member = self.members.get(place)?;
            if member.text_len > 0 && line.starts_with(member.text.get(..member.text_len)?) {
                self.next = place + 1;
                return Some((member.text_len, member.known));
            }
        }
        None
    }

    /// Remembers the member that was due. `text` is the line from its name's quote to its value.
    pub(super) fn remember(&mut self, text: &[u8], known: Known) {
        if let Some(member) = self.members.get_mut(self.next) {
            self.next += 1;
            member.text_len = 0;
            if let Some(room) = member.text.get_mut(..text.len()) {
                room.copy_from_slice(text);
                member.text_len = text.len();
                member.known = known;
            }
        }
    }
}
