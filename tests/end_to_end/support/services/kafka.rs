//! Apache Kafka 4.3.0 in KRaft mode: clusters of one or three brokers, each broker a process that is a controller too.
//!
//! Promises: a cluster is ready when it is handed out; each broker can be killed, suspended and started again over the
//! same data and ports; the processes and the folder go when the cluster is dropped or the test program ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::LazyLock;

use logweir_benchmarks::servers::Keeper;
use logweir_benchmarks::servers::kafka::{self as recipe, Installation, Node};
use rustix::process::{Pid, Signal, kill_process};

use super::super::kafka::Client;
use super::super::{free_port, within};
use super::proxy::Proxy;
use super::secured::{make_authority, make_certificate};
use super::{START_PATIENCE, cache};

/// The folder of the certificates, in the cluster's folder.
const CERTIFICATES: &str = "certificates";

/// The user who may connect at [`Listener::Scram`].
pub(crate) const USER: &str = "alice";
/// Its password.
pub(crate) const PASSWORD: &str = "alice-41d7c0";

/// A way to connect to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Open to all; every broker has it, for the others and for the tests' own client.
    Plaintext,
    /// The broker shows a certificate.
    Tls,
    /// The client shows one, too.
    MutualTls,
    /// A password over TLS, by SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.
    Scram,
    /// Open to all, by a proxy that can keep answers back.
    Proxied,
}

/// A cluster of this test run.
pub(crate) struct Kafka {
    installation: Installation,
    folder: PathBuf,
    brokers: Vec<Broker>,
}

struct Broker {
    node: Node,
    proxy: Option<Proxy>,
    process: Child,
    keeper: Keeper,
}

static SHARED: LazyLock<Kafka> =
    LazyLock::new(|| Kafka::start(1, &[Listener::Tls, Listener::MutualTls, Listener::Scram]));

/// The single broker of this run, with every listener. Tests share it at the same time: each takes topics and groups of
/// its own names, and one that harms a broker starts a [`Kafka`] of its own.
pub(crate) fn kafka() -> &'static Kafka {
    &SHARED
}

impl Kafka {
    /// Fetches Kafka and starts a cluster whose brokers have ids from 1 on and, besides [`Listener::Plaintext`], the
    /// given listeners.
    pub(crate) fn start(brokers: u16, listeners: &[Listener]) -> Self {
        Self::start_with(brokers, listeners, "")
    }

    /// Like [`Kafka::start`], with more lines for each broker's `server.properties`.
    pub(crate) fn start_with(brokers: u16, listeners: &[Listener], settings: &str) -> Self {
        let folder = super::folder("kafka");
        let mut more = settings.to_owned();
        if !listeners.is_empty() {
            let certificates = folder.path().join(CERTIFICATES);
            make_certificates(&certificates);
            more += &secured_settings(&certificates);
        }
        let listeners = [&[Listener::Plaintext], listeners].concat();
        let nodes: Vec<Node> = (1..=brokers)
            .map(|id| Node {
                id: id.into(),
                controller: free_port(),
                listeners: listeners.iter().map(|listener| (listener.name(), free_port())).collect(),
                proxy: listeners.contains(&Listener::Proxied).then(free_port),
            })
            .collect();
        let installation = Installation::fetch(&cache()).unwrap();
        installation.format(folder.path(), &nodes, &more, (USER, PASSWORD)).unwrap();
        let keepers: Vec<Keeper> = nodes.iter().map(|_| Keeper::over(folder.path()).unwrap()).collect();
        let folder = folder.keep();
        let start = |(node, keeper)| Broker::start(&installation, &folder, node, keeper);
        let brokers = nodes.into_iter().zip(keepers).map(start).collect();
        let mut kafka = Self { installation, folder, brokers };
        let client = kafka.client();
        kafka.wait_for(&client, |alive, all| alive.len() == all);
        kafka
    }

    /// What librdkafka needs to connect at a listener, with everything that the listener asks for.
    pub(crate) fn settings(&self, listener: Listener) -> Vec<(&'static str, String)> {
        let mut settings = vec![("bootstrap.servers", self.addresses(listener).join(","))];
        let mut set = |key, value: &str| settings.push((key, value.to_owned()));
        let certificate = |name| self.certificate(name).display().to_string();
        match listener {
            Listener::Plaintext | Listener::Proxied => return settings,
            Listener::Tls => set("security.protocol", "ssl"),
            Listener::MutualTls => {
                set("security.protocol", "ssl");
                set("ssl.certificate.location", &certificate("client.pem"));
                set("ssl.key.location", &certificate("client.key"));
            }
            Listener::Scram => {
                set("security.protocol", "sasl_ssl");
                set("sasl.mechanisms", "SCRAM-SHA-512");
                set("sasl.username", USER);
                set("sasl.password", PASSWORD);
            }
        }
        set("ssl.ca.location", &certificate("authority.pem"));
        settings
    }

    /// The command of one of Kafka's tools, named by its class.
    pub(crate) fn tool(&self, class: &str) -> Command {
        self.installation.tool(&self.folder, class)
    }

    /// The addresses of all brokers at a listener, as `host:port`.
    pub(crate) fn addresses(&self, listener: Listener) -> Vec<String> {
        self.brokers.iter().map(|broker| broker.address(listener)).collect()
    }

    /// A file of the cluster with TLS: `authority.pem`, `client.pem` or `client.key`.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(CERTIFICATES).join(name)
    }

    /// The tests' own client of this cluster.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.settings(Listener::Plaintext))
    }

    /// From here on, whether answers to heartbeats of groups are kept back from clients of [`Listener::Proxied`].
    pub(crate) fn keep_heartbeats_back(&self, keeps_back: bool) {
        self.proxies().for_each(|proxy| proxy.keep_back(keeps_back));
    }

    /// The lengths of the answers that were kept back since, in bytes.
    pub(crate) fn heartbeats_kept_back(&self) -> Vec<usize> {
        self.proxies().flat_map(Proxy::kept_back).collect()
    }

    fn proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.brokers.iter().filter_map(|broker| broker.proxy.as_ref())
    }

    /// `kill -9`. The broker's data stays.
    pub(crate) fn kill_9(&mut self, id: i32) {
        let broker = self.broker(id);
        broker.process.kill().unwrap();
        broker.process.wait().unwrap();
    }

    /// SIGSTOP: the broker hangs, its connections stay open.
    pub(crate) fn suspend(&mut self, id: i32) {
        self.broker(id).signal(Signal::STOP);
    }

    /// SIGCONT after [`Kafka::suspend`].
    pub(crate) fn resume(&mut self, id: i32) {
        self.broker(id).signal(Signal::CONT);
    }

    /// Starts a killed broker again over its data and ports, and waits until the cluster counts it as alive. It never
    /// will while most brokers are dead: start all but the last of them with [`Kafka::start_again`].
    pub(crate) fn restart(&mut self, id: i32) {
        self.start_again(id);
        let client = self.client();
        self.wait_for(&client, |alive, _| alive.contains(&id));
    }

    /// Starts a killed broker again and waits for nothing.
    pub(crate) fn start_again(&mut self, id: i32) {
        let process = self.installation.launch(&self.folder, id).unwrap();
        let broker = self.broker(id);
        broker.process = process;
        broker.keeper.keep(broker.process.id()).unwrap();
    }

    fn broker(&mut self, id: i32) -> &mut Broker {
        self.brokers.iter_mut().find(|broker| broker.node.id == id).unwrap()
    }

    /// Waits until `ready` holds for the ids of the live brokers and the number of all.
    fn wait_for(&mut self, client: &Client, ready: impl Fn(&[i32], usize) -> bool) {
        let folder = &self.folder;
        let brokers = &mut self.brokers;
        within(START_PATIENCE, "Kafka is ready", || {
            for broker in &mut *brokers {
                if let Some(status) = broker.process.try_wait().unwrap() {
                    // A broker that the test killed and leaves dead ended by a signal.
                    assert!(
                        status.code().is_none(),
                        "a broker ended with {status}: {}",
                        recipe::log(folder, broker.node.id)
                    );
                }
            }
            client.brokers().ok().filter(|alive| ready(alive, brokers.len()))
        });
    }
}

impl Listener {
    /// Its name in the brokers' settings.
    fn name(self) -> &'static str {
        match self {
            Self::Plaintext => recipe::PLAINTEXT,
            Self::Tls => "TLS",
            Self::MutualTls => "MUTUAL_TLS",
            Self::Scram => "SCRAM",
            Self::Proxied => recipe::PROXIED,
        }
    }
}

impl Broker {
    fn start(installation: &Installation, folder: &Path, node: Node, mut keeper: Keeper) -> Self {
        let process = installation.launch(folder, node.id).unwrap();
        keeper.keep(process.id()).unwrap();
        let proxied = node.listeners.iter().find(|(name, _)| *name == recipe::PROXIED);
        let proxy = node.proxy.zip(proxied).map(|(port, (_, broker))| Proxy::start(port, *broker));
        Self { node, proxy, process, keeper }
    }

    fn address(&self, listener: Listener) -> String {
        self.node.address(listener.name()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Makes the certificates of an authority, the brokers and a client.
fn make_certificates(folder: &Path) {
    fs::create_dir(folder).unwrap();
    make_authority(folder);
    make_certificate(folder, "broker");
    make_certificate(folder, "client");
    // Kafka reads the key and the chain of certificates from one file.
    let parts =
        ["broker.key", "broker.pem", "authority.pem"].map(|name| fs::read(folder.join(name)).unwrap());
    fs::write(folder.join("broker.keystore"), parts.concat()).unwrap();
}

/// What the listeners with TLS need, all of them whether they are there or not.
fn secured_settings(certificates: &Path) -> String {
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
