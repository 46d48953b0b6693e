//! What a producer tells of itself.
//!
//! Owns: [`ProducerStatistics`], the part of librdkafka's statistics that `/metrics` shows.
//! Promises: brokers have names of their own, and there are at most [`BROKERS_MAX`] of them.
//! Never: counts anything itself; librdkafka does, and tells it every few seconds.

use std::collections::BTreeMap;

use rdkafka::statistics::{Broker, Statistics};

/// Most brokers that are shown; the others are left out.
const BROKERS_MAX: usize = 100;
/// The state of a broker whose connection is there.
const UP: &str = "UP";
/// What librdkafka calls brokers that stand for something else than a server.
const NO_SERVERS: [&str; 2] = ["internal", "logical"];

/// The figures of a producer. Its counts begin anew with the producer, which is replaced after a fatal error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProducerStatistics {
    /// Records that wait or are under way.
    pub queue_records: u64,
    /// Their bytes.
    pub queue_bytes: u64,
    /// Each broker by `host:port/id`, or `host:port/bootstrap` before its id is known.
    pub brokers: BTreeMap<String, BrokerStatistics>,
}

/// The figures of a producer about one broker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BrokerStatistics {
    /// Whether there is a connection.
    pub is_connected: bool,
    /// Connections that were begun.
    pub connects: u64,
    /// Connections that ended, whoever ended them.
    pub disconnects: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that could not be sent.
    pub errors: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Requests that got no answer in time.
    pub timeouts: u64,
    /// How long answers took; none when none came since the figures before.
    pub round_trip: Option<RoundTrip>,
}

/// How long answers took, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoundTrip {
    /// Half took no longer.
    pub p50: f64,
    /// Of a hundred, ninety-nine took no longer.
    pub p99: f64,
}

impl ProducerStatistics {
    pub(super) fn of(statistics: &Statistics) -> Self {
        let servers = statistics.brokers.values();
        let servers = servers.filter(|broker| !NO_SERVERS.contains(&broker.source.as_str()));
        let mut brokers = servers
            .map(|broker| (broker.name.clone(), broker_statistics(broker)))
            .collect::<BTreeMap<_, _>>();
        while brokers.len() > BROKERS_MAX {
            brokers.pop_last();
        }
        Self { queue_records: statistics.msg_cnt, queue_bytes: statistics.msg_size, brokers }
    }
}

fn broker_statistics(broker: &Broker) -> BrokerStatistics {
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    let round_trip = broker.rtt.as_ref().filter(|window| window.cnt > 0);
    BrokerStatistics {
        is_connected: broker.state == UP,
        connects: count(broker.connects),
        disconnects: count(broker.disconnects),
        requests: broker.tx,
        errors: broker.txerrs,
        retries: broker.txretries,
        timeouts: broker.req_timeouts,
        round_trip: round_trip.map(|window| RoundTrip { p50: seconds(window.p50), p99: seconds(window.p99) }),
    }
}

/// Microseconds as seconds.
fn seconds(micros: i64) -> f64 {
    std::time::Duration::from_micros(u64::try_from(micros).unwrap_or_default()).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::Window;

    use super::*;

    fn statistics(brokers: impl Iterator<Item = Broker>) -> Statistics {
        let brokers = brokers.map(|broker| (broker.name.clone(), broker)).collect();
        Statistics { msg_cnt: 7, msg_size: 900, brokers, ..Statistics::default() }
    }

    fn broker(name: &str, source: &str) -> Broker {
        Broker { name: name.to_owned(), source: source.to_owned(), ..Broker::default() }
    }

    #[test]
    fn a_server_is_shown_with_its_round_trips() {
        let rtt = Window { cnt: 3, p50: 1_500, p99: 2_000_000, ..Window::default() };
        let learned = Broker {
            state: "UP".to_owned(),
            connects: Some(2),
            disconnects: Some(1),
            tx: 10,
            txerrs: 3,
            txretries: 4,
            req_timeouts: 5,
            rtt: Some(rtt),
            ..broker("a:1/1", "learned")
        };
        let told = statistics(
            [learned, broker("b:1/bootstrap", "configured"), broker(":0/internal", "internal")].into_iter(),
        );
        let shown = ProducerStatistics::of(&told);
        assert_eq!((shown.queue_records, shown.queue_bytes), (7, 900));
        let expected = BrokerStatistics {
            is_connected: true,
            connects: 2,
            disconnects: 1,
            requests: 10,
            errors: 3,
            retries: 4,
            timeouts: 5,
            round_trip: Some(RoundTrip { p50: 0.0015, p99: 2.0 }),
        };
        let idle = BrokerStatistics::default();
        assert_eq!(
            shown.brokers,
            BTreeMap::from([("a:1/1".to_owned(), expected), ("b:1/bootstrap".to_owned(), idle)])
        );
    }

    #[test]
    fn the_number_of_brokers_is_bounded() {
        let many = (0..2 * BROKERS_MAX).map(|number| broker(&format!("a:1/{number}"), "learned"));
        assert_eq!(ProducerStatistics::of(&statistics(many)).brokers.len(), BROKERS_MAX);
    }
}
