//! Elasticsearch 9.4.3: Elastic's own build for integration tests, a single node without security.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::super::free_port;
use super::{Launch, Launched, Service, cache, java};

const VERSION: &str = "9.4.3";
/// Elasticsearch refuses to run as root, so root's tests hand it to this system user.
const USER: &str = "logweir-test";

pub(super) struct Elasticsearch {
    as_root: bool,
}

/// Fetches, unpacks and starts it.
pub(super) fn start() -> Service {
    let folder = unpack();
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let settings = settings(address) + "xpack.security.enabled: false\n";
    fs::write(folder.path().join("home/config/elasticsearch.yml"), settings).unwrap();
    Service::start(Box::new(Elasticsearch::over(folder.path())), folder, address)
}

/// Fetches it and gives a new folder whose `home` is a fresh installation.
pub(super) fn unpack() -> TempDir {
    let artifact = format!("org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip");
    let name = format!("elasticsearch-{VERSION}");
    let archive = java::fetch(&cache(), &name, "unpack", None, &[format!("-Dartifact={artifact}")]).unwrap();
    let folder = super::folder("elasticsearch");
    let home = folder.path().join("home");
    run(Command::new("cp").arg("-r").arg(archive.join(format!("elasticsearch-{VERSION}"))).arg(&home));
    for entry in fs::read_dir(home.join("bin")).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// The settings of every node, whether secured or not.
pub(super) fn settings(address: SocketAddr) -> String {
    format!(
        "network.host: 127.0.0.1\nhttp.port: {}\ntransport.port: {}\ndiscovery.type: single-node\n\
         cluster.routing.allocation.disk.threshold_enabled: false\n",
        address.port(),
        free_port()
    )
}

impl Elasticsearch {
    /// Ready to launch over a folder whose config is complete: from here on it is the server's user's.
    pub(super) fn over(folder: &Path) -> Self {
        let as_root = rustix::process::geteuid().is_root();
        if as_root {
            if !Command::new("id").arg(USER).output().unwrap().status.success() {
                run(Command::new("useradd").args(["--system", "--no-create-home", USER]));
            }
            run(Command::new("chown").args(["-R", USER]).arg(folder));
        }
        Self { as_root }
    }
}

impl Launch for Elasticsearch {
    fn launch(&self, folder: &Path, _: SocketAddr) -> Launched {
        let server = folder.join("home/bin/elasticsearch");
        let mut command = Command::new(&server);
        if self.as_root {
            command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(server);
        }
        let pid_file = folder.join("server.pid");
        let output = command
            .envs(environment(folder))
            // A small heap leaves the memory to the daemon.
            .env("ES_JAVA_OPTS", "-Xms512m -Xmx512m")
            .args(["-d", "-p"])
            .arg(&pid_file)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "Elasticsearch: {}", String::from_utf8_lossy(&output.stdout));
        let pid = fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
        Launched { pid, child: None }
    }

    fn name(&self) -> &'static str {
        "Elasticsearch"
    }
}

/// The environment of all its commands.
pub(super) fn environment(folder: &Path) -> [(&'static str, OsString); 3] {
    [
        ("ES_JAVA_HOME", java::home().unwrap().into()),
        ("ES_TMPDIR", java::temporary(folder).into()),
        (java::OPTIONS, java::options(folder).into()),
    ]
}

/// Runs a command to its end, which must be a good one.
pub(super) fn run(command: &mut Command) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("the tests need {}: install it ({error})", command.get_program().display()),
    };
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}
