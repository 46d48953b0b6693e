//! Zones by their names in the IANA database.
//!
//! Owns: [`zone`] and the [`names`] that it knows.
//! Promises: the database of the system serves, and a copy in the program where there is none, as in bare containers. A
//! zone that was found never changes while the process runs.
//! Never: reads the zone of this host.

use jiff::Timestamp;
use jiff::tz::{self, TimeZone};
use logweir_parsers::Zone;
use logweir_parsers::zone::Change;

/// The zone of this name, such as `Europe/Berlin`.
#[must_use]
pub fn zone(name: &str) -> Option<Zone> {
    let zone = TimeZone::get(name).ok()?;
    let first = zone.to_offset(Timestamp::MIN).seconds();
    // Times of events end in 2262, with 64 bits of nanoseconds.
    let last = Timestamp::from_nanosecond(i128::from(i64::MAX)).ok()?;
    let changes = zone.following(Timestamp::MIN).take_while(|change| change.timestamp() <= last);
    let changes = changes
        .map(|change| Change { at: change.timestamp().as_second(), offset: change.offset().seconds() });
    Some(Zone::changing(first, changes))
}

/// The names of all zones.
#[must_use]
pub fn names() -> Vec<String> {
    tz::db().available().map(|name| name.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_zones_change_with_the_season() {
        let berlin = zone("Europe/Berlin").unwrap();
        let local = |text: &str| {
            let time: jiff::civil::DateTime = text.parse().unwrap();
            time.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second()
        };
        for (time, offset) in [
            ("2026-01-15T12:00:00", 3_600),
            ("2026-07-15T12:00:00", 7_200),
            ("2026-03-29T01:59:59", 3_600),
            ("2026-03-29T03:00:00", 7_200),
            ("2026-10-25T02:59:59", 7_200),
            ("2026-10-25T03:00:00", 3_600),
            ("2150-07-15T12:00:00", 7_200),
        ] {
            assert_eq!(berlin.offset_at(local(time)), offset, "{time}");
        }
        assert!(zone("Europe/Atlantis").is_none());
        assert!(names().iter().any(|name| name == "Europe/Berlin"));
    }
}
