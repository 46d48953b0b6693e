//! Real servers: Elasticsearch, OpenSearch and Kafka, fetched once by Maven, started once a test run, on free loopback
//! ports.
//!
//! Promises: a service is ready when it is handed out; tests that share a store take turns; it is stopped by its process
//! id and its folder is removed when the test program ends, however it ends. A machine without Java or Maven fails
//! the test with one sentence; nothing is skipped. Never: a server that this program did not start.

mod elasticsearch;
pub(crate) mod kafka;
mod opensearch;
mod proxy;
pub(crate) mod secured;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logweir_benchmarks::servers::{Keeper, java};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::http::{self, Answer};
use super::within;

/// A cold start took nine seconds on two idle cores.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// What differs between the servers.
trait Launch: Send {
    /// Starts the server over the folder; a server that detaches itself gives no child.
    fn launch(&self, folder: &Path, address: SocketAddr) -> Launched;
    fn name(&self) -> &'static str;

    fn scheme(&self) -> &'static str {
        "http"
    }

    /// Asks the server something as a user who may do everything.
    fn ask(&self, address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        http::send(address, method, path, body)
    }
}

/// A started server process.
struct Launched {
    pid: u32,
    child: Option<Child>,
}

/// A server of this test run.
pub(crate) struct Service {
    address: SocketAddr,
    folder: PathBuf,
    launch: Box<dyn Launch>,
    launched: Launched,
    keeper: Keeper,
}

static ELASTICSEARCH: LazyLock<Mutex<Service>> = LazyLock::new(|| Mutex::new(elasticsearch::start()));
static OPENSEARCH: LazyLock<Mutex<Service>> = LazyLock::new(|| Mutex::new(opensearch::start()));
static SECURED: LazyLock<Mutex<Service>> = LazyLock::new(|| Mutex::new(secured::start()));

/// The Elasticsearch of this run; the caller has it alone until the guard drops.
pub(crate) fn elasticsearch() -> MutexGuard<'static, Service> {
    ELASTICSEARCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The OpenSearch of this run; the caller has it alone until the guard drops.
pub(crate) fn opensearch() -> MutexGuard<'static, Service> {
    OPENSEARCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The Elasticsearch with security and TLS of this run; the caller has it alone until the guard drops.
pub(crate) fn secured() -> MutexGuard<'static, Service> {
    SECURED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    fn start(launch: Box<dyn Launch>, folder: TempDir, address: SocketAddr) -> Self {
        let mut keeper = Keeper::over(folder.path()).unwrap();
        let folder = folder.keep();
        let launched = launch.launch(&folder, address);
        keeper.keep(launched.pid).unwrap();
        let service = Self { address, folder, launch, launched, keeper };
        service.wait_until_ready();
        service
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.launch.scheme(), self.address)
    }

    /// A path inside the server's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `kill -9`. Its folder stays.
    pub(crate) fn kill(&mut self) {
        let pid = Pid::from_raw(self.launched.pid as i32).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        if let Some(child) = &mut self.launched.child {
            child.wait().unwrap();
        }
        within(START_PATIENCE, "the killed server's port is closed", || {
            std::net::TcpStream::connect(self.address).is_err().then_some(())
        });
    }

    /// Starts it again over the same folder and port after [`Service::kill`].
    pub(crate) fn start_again(&mut self) {
        self.launched = self.launch.launch(&self.folder, self.address);
        self.keeper.keep(self.launched.pid).unwrap();
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        within(START_PATIENCE, format_args!("{} is ready", self.launch.name()), || {
            let answer = self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s", "").ok()?;
            (answer.status == 200).then_some(())
        });
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        self.launch.ask(self.address, method, path, body)
    }

    /// How many documents an index holds; none while nobody answers or the index is not there.
    pub(crate) fn count(&self, index: &str) -> Option<u64> {
        let answer = self.ask("GET", &format!("/{index}/_count"), "").ok()?;
        answer.json()["count"].as_u64()
    }

    /// The documents of an index as `(id, source)`, refreshed first; at most 10,000 at once, so it pages by `_id`
    /// order of arrival through `search_after` on the sequence number.
    pub(crate) fn documents(&self, index: &str) -> Vec<serde_json::Value> {
        self.documents_with(index, "*")
    }

    /// The same with those fields only that match a pattern.
    pub(crate) fn documents_with(&self, index: &str, fields: &str) -> Vec<serde_json::Value> {
        self.ask("POST", &format!("/{index}/_refresh"), "").unwrap();
        let mut documents = Vec::new();
        let mut after = String::new();
        loop {
            let query = format!(
                r#"{{"size":5000,"_source":"{fields}","sort":[{{"_seq_no":"asc"}},{{"_index":"asc"}}]{after}}}"#
            );
            let answer = self.ask("POST", &format!("/{index}/_search"), &query).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
            let mut json = answer.json();
            let serde_json::Value::Array(hits) = json["hits"]["hits"].take() else {
                panic!("{}", answer.body)
            };
            let Some(last) = hits.last() else { return documents };
            after = format!(r#","search_after":{}"#, last["sort"]);
            documents.extend(hits);
        }
    }
}

/// A new folder for a server, removed on the spot should the server not come to be.
fn folder(name: &str) -> TempDir {
    let folder = tempfile::Builder::new().prefix(&format!("logweir-{name}-")).tempdir().unwrap();
    std::fs::create_dir(java::temporary(folder.path())).unwrap();
    folder
}

/// Where archives are kept between runs.
fn cache() -> PathBuf {
    java::cache(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()).unwrap()
}

#[test]
fn elasticsearch_takes_a_document_and_keeps_it_over_a_kill() {
    takes_a_document_and_keeps_it_over_a_kill(&mut elasticsearch());
}

#[test]
fn opensearch_takes_a_document_and_keeps_it_over_a_kill() {
    takes_a_document_and_keeps_it_over_a_kill(&mut opensearch());
}

fn takes_a_document_and_keeps_it_over_a_kill(service: &mut Service) {
    let body =
        "{\"create\":{\"_id\":\"one\"}}\n{\"@timestamp\":\"2026-11-23T00:00:00Z\",\"message\":\"kept\"}\n";
    let create = |service: &Service| {
        within(START_PATIENCE, "the index takes documents", || {
            let answer = http::send(service.address(), "POST", "/logs-kept-default/_bulk", body).ok()?;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let status = answer.json()["items"][0]["create"]["status"].as_u64().unwrap();
            (status != 503).then_some(status)
        })
    };
    assert_eq!(create(service), 201);
    service.kill();
    service.start_again();
    assert_eq!(create(service), 409);
    let documents = service.documents("logs-kept-default");
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0]["_source"]["message"], "kept");
}
