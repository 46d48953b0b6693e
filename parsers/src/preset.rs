//! Groups of constant fields that a grammar gives to an event by one number.
//!
//! Owns: [`PresetId`] and the table [`PRESETS`].
//! Promises: a preset never changes while the process runs, so an output renders it once and copies it.
//! Never: holds anything that depends on the line.

mod host;

pub use host::*;

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
    /// A whole number.
    Integer(i64),
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

/// The first of the 192 presets of [`syslog`].
const SYSLOG: PresetId = PresetId(FIRST.len() as u8);

/// What a syslog priority stands for: `log.level`, and the codes and names of facility and severity (RFC 5424
/// section 6.2.1). A priority of 192 or more, which no grammar gives, is [`EVENT`].
#[must_use]
pub const fn syslog(priority: u8) -> PresetId {
    if (priority as usize) < SYSLOG_TABLE.len() { PresetId(SYSLOG.0 + priority) } else { EVENT }
}

/// The first of the presets of what happened on a host.
const HOST: usize = FIRST.len() + SYSLOG_TABLE.len();

/// Whether an event may have both presets: they have no field in common but `event.kind`, which the first gives.
#[must_use]
pub const fn go_together(first: PresetId, second: PresetId) -> bool {
    match (has_category(first), has_category(second)) {
        (true, true) => false,
        (false, false) => !is_syslog(first) || !is_syslog(second),
        _ => true,
    }
}

/// Whether the preset says what kind of thing happened.
const fn has_category(preset: PresetId) -> bool {
    matches!(preset, WEB_ACCESS | WEB_ERROR | WEB_UNKNOWN) || preset.0 as usize >= HOST
}

const fn is_syslog(preset: PresetId) -> bool {
    preset.0 >= SYSLOG.0 && (preset.0 as usize) < HOST
}

/// All presets, in the order of their numbers.
pub const PRESETS: &[Preset] = &{
    let mut presets: [Preset; HOST + host::TABLE.len()] = [&[]; HOST + host::TABLE.len()];
    let mut number = 0;
    while number < presets.len() {
        presets[number] = if number < FIRST.len() {
            FIRST[number]
        } else if number < HOST {
            &SYSLOG_TABLE[number - FIRST.len()]
        } else {
            host::TABLE[number - HOST]
        };
        number += 1;
    }
    presets
};

/// The presets but those of [`syslog`].
const FIRST: [Preset; 6] = [
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

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

const SEVERITIES: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];

/// The fields of each priority.
static SYSLOG_TABLE: [[(KeyId, Constant); 7]; 192] = {
    let mut table = [[(key::EVENT_KIND, Constant::Text("event")); 7]; 192];
    let mut priority = 0;
    while priority < table.len() {
        let (facility, severity) = (priority / 8, priority % 8);
        // Application logs say "info", and `log.level` is one field for all logs.
        let level = if severity == 6 { "info" } else { SEVERITIES[severity] };
        table[priority][1] = (key::LOG_LEVEL, Constant::Text(level));
        table[priority][2] = (key::LOG_SYSLOG_PRIORITY, Constant::Integer(priority as i64));
        table[priority][3] = (key::LOG_SYSLOG_FACILITY_CODE, Constant::Integer(facility as i64));
        table[priority][4] = (key::LOG_SYSLOG_FACILITY_NAME, Constant::Text(FACILITIES[facility]));
        table[priority][5] = (key::LOG_SYSLOG_SEVERITY_CODE, Constant::Integer(severity as i64));
        table[priority][6] = (key::LOG_SYSLOG_SEVERITY_NAME, Constant::Text(SEVERITIES[severity]));
        priority += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_presets_name_facility_and_severity() {
        let preset = PRESETS[usize::from(syslog(165).0)];
        let text = |wanted| preset.iter().find(|(key, _)| *key == wanted).map(|(_, constant)| *constant);
        assert_eq!(text(key::LOG_SYSLOG_FACILITY_NAME), Some(Constant::Text("local4")));
        assert_eq!(text(key::LOG_SYSLOG_SEVERITY_NAME), Some(Constant::Text("notice")));
        assert_eq!(text(key::LOG_LEVEL), Some(Constant::Text("notice")));
        assert_eq!(usize::from(syslog(191).0), HOST - 1);
        assert_eq!(syslog(192), EVENT);
    }

    #[test]
    fn every_preset_has_a_number() {
        assert!(PRESETS.len() <= 256, "{} presets do not fit into a byte", PRESETS.len());
        assert!(
            PRESETS[usize::from(CRON_COMMAND.0)]
                .contains(&(key::EVENT_ACTION, Constant::Text("cron_command")))
        );
    }

    #[test]
    fn presets_that_go_together_share_nothing_but_the_kind() {
        let all = || (0_u8..).map(PresetId).zip(PRESETS);
        for ((first, its), (second, others)) in all().flat_map(|one| all().map(move |other| (one, other))) {
            let is_shared =
                |key: &KeyId| *key != key::EVENT_KIND && others.iter().any(|(other, _)| other == key);
            let share = its.iter().any(|(key, _)| is_shared(key));
            assert_eq!(go_together(first, second), !share, "{first:?} and {second:?}");
        }
    }
}
