//! What stands in a node's `server.properties`.
//!
//! Promises: nothing but loopback addresses and the given ports; times short enough that a test sees a failover or the
//! end of a dead group member within seconds.

use std::fmt::Write;
use std::path::Path;

use super::{CERTIFICATES, Listener, PASSWORD, USER};

/// The log of a broker: warnings and worse, on its standard output.
pub(super) const LOGGING: &str = "appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
";

const COMMON: &str = "process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,MUTUAL_TLS:SSL,SCRAM:SASL_SSL
auto.create.topics.enable=false
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=1
num.network.threads=2
num.io.threads=2
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.socket.timeout.ms=3000
replica.socket.timeout.ms=3000
group.initial.rebalance.delay.ms=0
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=1000
group.consumer.heartbeat.interval.ms=1000
";

/// Where a node listens.
pub(super) struct Node {
    pub(super) id: i32,
    pub(super) controller: u16,
    pub(super) listeners: Vec<(Listener, u16)>,
}

impl Node {
    /// Its `server.properties` in a cluster of `nodes`, with its data in `data`.
    pub(super) fn settings(&self, nodes: &[Self], folder: &Path, data: &Path) -> String {
        let voters = nodes.iter().map(|node| format!("{}@127.0.0.1:{}", node.id, node.controller));
        let advertised =
            self.listeners.iter().map(|(listener, port)| format!("{}://127.0.0.1:{port}", listener.name()));
        let advertised = advertised.collect::<Vec<_>>().join(",");
        let replicas = nodes.len();
        let in_sync = replicas.div_ceil(2);
        let mut text = COMMON.to_owned();
        for (key, value) in [
            ("node.id", self.id.to_string()),
            ("controller.quorum.voters", voters.collect::<Vec<_>>().join(",")),
            ("listeners", format!("{advertised},CONTROLLER://127.0.0.1:{}", self.controller)),
            ("advertised.listeners", advertised),
            ("log.dirs", data.display().to_string()),
            ("min.insync.replicas", in_sync.to_string()),
        ] {
            writeln!(text, "{key}={value}").unwrap();
        }
        for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
            writeln!(text, "{topic}.replication.factor={replicas}").unwrap();
        }
        for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
            writeln!(text, "{topic}.min.isr={in_sync}").unwrap();
        }
        if self.listeners.iter().any(|(listener, _)| *listener != Listener::Plaintext) {
            text += &secured(&folder.join(CERTIFICATES));
        }
        text
    }
}

/// What the listeners with TLS need, all of them whether they are there or not.
fn secured(certificates: &Path) -> String {
    let certificates = certificates.display();
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    format!(
        "ssl.keystore.type=PEM
ssl.keystore.location={certificates}/broker.keystore
ssl.truststore.type=PEM
ssl.truststore.location={certificates}/authority.pem
listener.name.mutual_tls.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.scram.scram-sha-512.sasl.jaas.config={scram};
listener.name.scram.scram-sha-256.sasl.jaas.config={scram};
listener.name.scram.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
"
    )
}
