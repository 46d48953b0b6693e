//! Elasticsearch with security and TLS: certificates of an authority made for this run, which clients need as well, and
//! two users of the file realm.
//!
//! Promises: [`SHIPPER`] may create documents in `logs-*` and nothing else, so a test shows which privileges the daemon
//! needs; the questions of the tests are asked as another user and over verified TLS.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::free_port;
use super::super::http::Answer;
use super::elasticsearch::{self, Elasticsearch, run};
use super::{Launch, Launched, Service};

/// The user for the daemon.
pub(crate) const SHIPPER: &str = "shipper";
/// Its password.
pub(crate) const SHIPPER_PASSWORD: &str = "right-5f2c1e";
/// The certificate of the authority, in the service's folder.
pub(crate) const AUTHORITY: &str = "home/config/authority.pem";

/// A certificate for clients, in the service's folder, and its key.
pub(crate) const CLIENT: [&str; 2] = ["home/config/client.pem", "home/config/client.key"];

/// The user of the tests' own questions.
const JUDGE: &str = "judge";
const JUDGE_PASSWORD: &str = "judge-90b7d4";
const ROLES: &str = "logweir_writer:
  indices:
    - names: ['logs-*']
      privileges: ['auto_configure', 'create_doc']
";
const SETTINGS: &str = "xpack.security.enabled: true
xpack.security.enrollment.enabled: false
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: node.key
xpack.security.http.ssl.certificate: node.pem
xpack.security.http.ssl.certificate_authorities: authority.pem
xpack.security.http.ssl.client_authentication: required
";

struct Secured {
    elasticsearch: Elasticsearch,
    folder: PathBuf,
}

/// Fetches, unpacks, secures and starts it.
pub(super) fn start() -> Service {
    let folder = elasticsearch::unpack();
    let home = folder.path().join("home");
    let config = home.join("config");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    fs::write(config.join("elasticsearch.yml"), elasticsearch::settings(address) + SETTINGS).unwrap();
    fs::write(config.join("roles.yml"), ROLES).unwrap();
    make_authority(&config);
    make_certificate(&config, "node");
    make_certificate(&config, "client");
    for (user, password, role) in
        [(SHIPPER, SHIPPER_PASSWORD, "logweir_writer"), (JUDGE, JUDGE_PASSWORD, "superuser")]
    {
        run(Command::new(home.join("bin/elasticsearch-users"))
            .envs(elasticsearch::environment(folder.path()))
            .args(["useradd", user, "-p", password, "-r", role]));
    }
    let elasticsearch = Elasticsearch::over(folder.path());
    let launch = Secured { elasticsearch, folder: folder.path().to_owned() };
    Service::start(Box::new(launch), folder, address)
}

/// Makes `authority.pem`, the certificate of an authority, and `authority.key` in a folder.
pub(crate) fn make_authority(folder: &Path) {
    run(openssl(folder)
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=logweir test"])
        .args(["-keyout", "authority.key", "-out", "authority.pem"]));
}

/// Makes `NAME.pem`, a certificate for this host by the authority of the same folder, and `NAME.key`.
pub(crate) fn make_certificate(folder: &Path, name: &str) {
    let file = |extension: &str| format!("{name}.{extension}");
    run(openssl(folder).args(["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]).args([
        "-keyout",
        &file("key"),
        "-out",
        &file("request"),
    ]));
    fs::write(folder.join(file("extensions")), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    run(openssl(folder)
        .args(["x509", "-req", "-days", "2", "-in", &file("request"), "-extfile", &file("extensions")])
        .args(["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-out", &file("pem")]));
}

fn openssl(folder: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(folder);
    command
}

impl Launch for Secured {
    fn launch(&self, folder: &Path, address: SocketAddr) -> Launched {
        self.elasticsearch.launch(folder, address)
    }

    fn name(&self) -> &'static str {
        "Elasticsearch with security"
    }

    fn scheme(&self) -> &'static str {
        "https"
    }

    /// By curl, which knows TLS: the tests' own client does not.
    fn ask(&self, address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let mut curl = Command::new("curl")
            .args(["--silent", "--max-time", "30", "--write-out", "\n%{http_code}", "--request", method])
            .args(["--user", &format!("{JUDGE}:{JUDGE_PASSWORD}"), "--data-binary", "@-"])
            .args(["--header", "content-type: application/json", "--noproxy", "*", "--cacert"])
            .arg(self.folder.join(AUTHORITY))
            .args(["--cert".as_ref(), self.folder.join(CLIENT[0]).as_os_str()])
            .args(["--key".as_ref(), self.folder.join(CLIENT[1]).as_os_str()])
            .arg(format!("https://{address}{path}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // The handle closes at the end of the statement, which ends the body.
        curl.stdin.take().unwrap().write_all(body.as_bytes())?;
        let output = curl.wait_with_output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!("curl ended with {}", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, status) = text.rsplit_once('\n').unwrap();
        Ok(Answer { status: status.parse().unwrap(), body: body.to_owned() })
    }
}
