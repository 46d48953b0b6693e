//! A test's folder: logs, data directory, config.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::daemon::Daemon;
use super::free_port;

/// A folder of its own for one test, with an admin address for its daemon.
#[derive(Debug)]
pub(crate) struct Scene {
    folder: TempDir,
    admin: SocketAddr,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
            admin: SocketAddr::from(([127, 0, 0, 1], free_port())),
        };
        std::fs::create_dir(scene.path("logs")).unwrap();
        scene
    }

    /// A path inside the folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path inside the folder of the logs.
    pub(crate) fn log_path(&self, name: &str) -> PathBuf {
        self.path("logs").join(name)
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Writes `logweir.toml`: the data directory, then `body`, which may begin with keys of the top level and in which
    /// `{here}` stands for the folder, then the admin address.
    pub(crate) fn write_config(&self, body: &str) -> PathBuf {
        let here = self.folder.path().display().to_string();
        let text = format!(
            "data_dir = \"{here}/data\"\n{}\n[admin]\nlisten = \"{}\"\n",
            body.replace("{here}", &here),
            self.admin
        );
        self.write("logweir.toml", &text)
    }

    /// Writes any file of the folder and gives its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts `logweir run` over the scene's config.
    #[track_caller]
    pub(crate) fn run(&self) -> Daemon {
        Daemon::run(&self.path("logweir.toml"), self.admin, &self.path("daemon.log"))
    }

    /// Everything that the daemons of this scene logged.
    pub(crate) fn daemon_log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path("daemon.log")).unwrap_or_default()).into_owned()
    }
}

/// The config of one file source into one Elasticsearch output, the pair that most scenarios use.
pub(crate) fn file_to_store(paths: &str, parse: &str, url: &str) -> String {
    format!(
        r#"[sources.app]
type = "file"
paths = [{paths}]
parse = "{parse}"

[outputs.store]
type = "elasticsearch"
inputs = ["app"]
urls = ["{url}"]
"#
    )
}
