//! Groups of constant fields that a grammar gives to an event by one number.
//!
//! Owns: [`PresetId`] and the table [`PRESETS`].
//! Promises: a preset never changes while the process runs, so an output renders it once and copies it.
//! Never: holds anything that depends on the line.

use crate::key::{self, KeyId};

/// The number of a [`Preset`]: its place in [`PRESETS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PresetId(pub u8);

/// A constant value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constant {
    /// One string.
    Text(&'static str),
    /// A list of strings, as ECS asks for `event.category` and `event.type`.
    List(&'static [&'static str]),
}

/// Constant fields, in the order in which they are written.
pub type Preset = &'static [(KeyId, Constant)];

/// No constant fields.
pub const NONE: PresetId = PresetId(0);
/// A request that a web server answered with a status below 400.
pub const WEB_ACCESS: PresetId = PresetId(1);
/// A request that a web server answered with a status of 400 or more.
pub const WEB_ERROR: PresetId = PresetId(2);
/// A line that no grammar took.
pub const PIPELINE_ERROR: PresetId = PresetId(3);
/// Any other event.
pub const EVENT: PresetId = PresetId(4);
/// A request whose status the line does not tell.
pub const WEB_UNKNOWN: PresetId = PresetId(5);

/// All presets, in the order of their numbers.
pub const PRESETS: &[Preset] = &[
    &[],
    &[
        (key::EVENT_KIND, Constant::Text("event")),
        (key::EVENT_CATEGORY, Constant::List(&["web"])),
        (key::EVENT_TYPE, Constant::List(&["access"])),
        (key::EVENT_OUTCOME, Constant::Text("success")),
    ],
    &[
        (key::EVENT_KIND, Constant::Text("event")),
        (key::EVENT_CATEGORY, Constant::List(&["web"])),
        (key::EVENT_TYPE, Constant::List(&["access", "error"])),
        (key::EVENT_OUTCOME, Constant::Text("failure")),
    ],
    &[(key::EVENT_KIND, Constant::Text("pipeline_error"))],
    &[(key::EVENT_KIND, Constant::Text("event"))],
    &[
        (key::EVENT_KIND, Constant::Text("event")),
        (key::EVENT_CATEGORY, Constant::List(&["web"])),
        (key::EVENT_TYPE, Constant::List(&["access"])),
        (key::EVENT_OUTCOME, Constant::Text("unknown")),
    ],
];
