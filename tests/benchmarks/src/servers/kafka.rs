//! The recipe of Apache Kafka 4.3.0 in KRaft mode: each node a process that is broker and controller.
//!
//! Owns: fetching it, the settings and the format of a node's data, the command that starts one.
//! Promises: nothing but loopback addresses and the given ports; times short enough that a failover or the end of a dead
//! group member is seen within seconds.
//! Never: waits until a node is ready, or ends one; who starts it does.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::java;

/// The listener that every node has, for the other nodes and for whoever asks without TLS.
pub const PLAINTEXT: &str = "PLAINTEXT";

/// A listener without TLS that is reached by a proxy.
pub const PROXIED: &str = "PROXIED";

const VERSION: &str = "4.3.0";
const PROJECT: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>logweir</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafka.version}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>${kafka.version}</version>
      <exclusions>
        <exclusion>
          <groupId>org.apache.kafka</groupId>
          <artifactId>connect-runtime</artifactId>
        </exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-core</artifactId>
      <version>2.25.4</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.4</version>
    </dependency>
  </dependencies>
</project>
"#;

/// Sixteen bytes in base64, as Kafka wants the id of a cluster.
const CLUSTER_ID: &str = "bG9nd2Vpci10ZXN0cy0wMQ";
const SETTINGS: &str = "server.properties";
const LOGGING: &str = "log4j2.properties";

/// The log of a node: warnings and worse, on its standard output.
const LOGGING_SETTINGS: &str = "appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
";

const COMMON: &str = "process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,MUTUAL_TLS:SSL,SCRAM:SASL_SSL,PROXIED:PLAINTEXT
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

/// One process of a cluster.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its number in the cluster.
    pub id: i32,
    /// The port for the other controllers.
    pub controller: u16,
    /// Names and ports to listen at: [`PLAINTEXT`], `TLS`, `MUTUAL_TLS`, `SCRAM` or [`PROXIED`].
    pub listeners: Vec<(&'static str, u16)>,
    /// The port of a proxy, at which clients are to connect to [`PROXIED`].
    pub proxy: Option<u16>,
}

/// A Java, and Kafka's classes.
#[derive(Clone, Debug)]
pub struct Installation {
    java: PathBuf,
    libraries: PathBuf,
    /// Whether nodes run with all of Java's compilers.
    is_optimized: bool,
}

impl Installation {
    /// Kafka in the cache, fetched at the first use.
    ///
    /// # Errors
    /// When there is no Java or no Maven, or Maven could not fetch it.
    pub fn fetch(cache: &Path) -> Result<Self> {
        let java = java::home()?.join("bin/java");
        let name = format!("kafka-{VERSION}-with-tools");
        let settings = ["-DincludeScope=runtime".into(), format!("-Dkafka.version={VERSION}")];
        let libraries = java::fetch(cache, &name, "copy-dependencies", Some(PROJECT), &settings)?;
        Ok(Self { java, libraries, is_optimized: false })
    }

    /// The same with all of Java's compilers, as Kafka runs where it is used: it starts later and takes less CPU, which a
    /// daemon on the same cores has for itself.
    #[must_use]
    pub fn optimized(self) -> Self {
        Self { is_optimized: true, ..self }
    }

    /// Writes what a cluster of `nodes` begins with into its folder: settings, `more` of them for each node, and empty
    /// logs which know the user, a name and a password for SCRAM.
    ///
    /// # Errors
    /// When something cannot be written, or Kafka does not like it.
    pub fn format(&self, folder: &Path, nodes: &[Node], more: &str, user: (&str, &str)) -> Result<()> {
        fs::write(folder.join(LOGGING), LOGGING_SETTINGS)?;
        let users = ["SCRAM-SHA-512", "SCRAM-SHA-256"]
            .map(|scram| format!("{scram}=[name={},password={}]", user.0, user.1));
        let start = |node: &Node| -> Result<Child> {
            let home = home(folder, node.id);
            fs::create_dir(&home)?;
            fs::write(home.join(SETTINGS), node.settings(nodes, &home.join("data")) + more)?;
            let mut command = self.java(folder);
            command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID]);
            command.args(users.iter().flat_map(|user| ["--add-scram", user])).arg("-c");
            command.arg(home.join(SETTINGS)).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().context("Java could not be started")
        };
        let processes = nodes.iter().map(start).collect::<Result<Vec<_>>>()?;
        for process in processes {
            let output = process.wait_with_output()?;
            let said = [output.stdout, output.stderr].concat();
            ensure!(output.status.success(), "formatting Kafka's log: {}", String::from_utf8_lossy(&said));
        }
        Ok(())
    }

    /// Starts a node whose data is formatted; its output is appended to its log.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn launch(&self, folder: &Path, id: i32) -> Result<Child> {
        let home = home(folder, id);
        let log = File::options().create(true).append(true).open(home.join("log"))?;
        let mut command = self.java(folder);
        command.arg("kafka.Kafka").arg(home.join(SETTINGS)).stdout(log.try_clone()?).stderr(log);
        command.spawn().context("Java could not be started")
    }

    /// The command of one of Kafka's tools, named by its class.
    #[must_use]
    pub fn tool(&self, folder: &Path, class: &str) -> Command {
        let mut command = self.java(folder);
        command.arg(class);
        command
    }

    /// A Java with Kafka's classes.
    fn java(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.java);
        command
            .env(java::OPTIONS, java::options(folder))
            // A small heap leaves the memory to the daemon.
            .args(["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC"])
            .args(self.is_optimized.then_some("-XX:TieredStopAtLevel=4"))
            .arg(format!("-Dlog4j2.configurationFile=file:{}", folder.join(LOGGING).display()))
            .arg("-cp")
            .arg(self.libraries.join("*"))
            .stdin(Stdio::null());
        command
    }
}

impl Node {
    /// Where clients connect to the listener of this name, as `host:port`.
    #[must_use]
    pub fn address(&self, listener: &str) -> Option<String> {
        let (name, port) = self.listeners.iter().find(|(name, _)| *name == listener)?;
        Some(format!("127.0.0.1:{}", self.advertised(name, *port)))
    }

    fn advertised(&self, listener: &str, port: u16) -> u16 {
        self.proxy.filter(|_| listener == PROXIED).unwrap_or(port)
    }

    /// Its `server.properties` in a cluster of `nodes`, with its data in `data`.
    fn settings(&self, nodes: &[Self], data: &Path) -> String {
        let voters = nodes.iter().map(|node| format!("{}@127.0.0.1:{}", node.id, node.controller));
        let listeners = |port: &dyn Fn(&str, u16) -> u16| {
            let of = |(name, own): &(&str, u16)| format!("{name}://127.0.0.1:{}", port(name, *own));
            self.listeners.iter().map(of).collect::<Vec<_>>().join(",")
        };
        let own = listeners(&|_, port| port);
        let advertised = listeners(&|name, port| self.advertised(name, port));
        let replicas = nodes.len();
        let in_sync = replicas.div_ceil(2);
        let mut settings = vec![
            ("node.id".to_owned(), self.id.to_string()),
            ("controller.quorum.voters".to_owned(), voters.collect::<Vec<_>>().join(",")),
            ("listeners".to_owned(), format!("{own},CONTROLLER://127.0.0.1:{}", self.controller)),
            ("advertised.listeners".to_owned(), advertised),
            ("log.dirs".to_owned(), data.display().to_string()),
            ("min.insync.replicas".to_owned(), in_sync.to_string()),
        ];
        for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
            settings.push((format!("{topic}.replication.factor"), replicas.to_string()));
        }
        for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
            settings.push((format!("{topic}.min.isr"), in_sync.to_string()));
        }
        settings.iter().fold(COMMON.to_owned(), |mut text, (key, value)| {
            // Writing to a string does not fail.
            writeln!(text, "{key}={value}").ok();
            text
        })
    }
}

/// What a node has said so far.
#[must_use]
pub fn log(folder: &Path, id: i32) -> String {
    fs::read_to_string(home(folder, id).join("log")).unwrap_or_default()
}

/// The folder of a node.
fn home(folder: &Path, id: i32) -> PathBuf {
    folder.join(format!("broker-{id}"))
}
