//! Alerts by mail, to a real SMTP server that puts mails into a folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::webhook::{GUESSING, failures};
use crate::support::daemon::{Daemon, binary};
use crate::support::scene::Scene;
use crate::support::services::secured::{make_authority, make_certificate};
use crate::support::{eventually, free_port, http};

const MAIL: &str = r#"
[outputs.mail]
type = "email"
inputs = ["rules"]
from = "logweir@example.com"
to = "ops@example.com"
"#;

/// A real SMTP server.
struct Server {
    child: Child,
    mails: PathBuf,
}

impl Server {
    /// Starts it on localhost; `arguments` are those about TLS.
    fn start(folder: &Path, port: u16, arguments: &[&str]) -> Self {
        let mails = folder.join("mails");
        let child = Command::new("aiosmtpd")
            .args(["--nosetuid", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--class", "aiosmtpd.handlers.Mailbox"])
            .args(arguments)
            .arg(&mails)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("apt-get install python3-aiosmtpd: {error}"));
        let server = Self { child, mails };
        eventually("the SMTP server listens", || {
            std::net::TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).ok()
        });
        server
    }

    /// The mails that it has, with the line ends of a text.
    fn mails(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.mails.join("new")) else { return Vec::new() };
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the admin API says of the output.
fn status(daemon: &Daemon) -> Option<Value> {
    let mut answer = http::get(daemon.admin(), "/api/outputs").ok()?.json();
    Some(answer["outputs"]["mail"].take())
}

#[test]
fn an_alert_waits_for_its_server_and_comes_once_over_tls() {
    let (scene, port) = (Scene::new(), free_port());
    make_authority(&scene.path("."));
    make_certificate(&scene.path("."), "server");
    let more = "ca_file = \"{here}/authority.pem\"";
    scene.write_config(&format!("{GUESSING}{MAIL}server = \"starttls://localhost:{port}\"\n{more}\n"));
    let mut daemon = scene.run().wait_until_ready();
    scene.write("logs/auth.log", failures("203.0.113.1"));
    eventually(format_args!("the output waits; {daemon}"), || {
        status(&daemon).filter(|output| output["state"] == "retrying")
    });
    let server =
        Server::start(&scene.path("."), port, &["--tlscert", "server.pem", "--tlskey", "server.key"]);
    eventually(format_args!("the mail is delivered; {daemon}"), || {
        status(&daemon).filter(|output| output["delivered"] == 1)
    });
    assert!(daemon.terminate().success(), "{}", daemon.log());
    let mails = server.mails();
    let [mail] = &mails[..] else { panic!("not one mail: {mails:?}") };
    for line in [
        "From: logweir@example.com",
        "To: ops@example.com",
        "Subject: SSH \"password\" guessing",
        "Auto-Submitted: auto-generated",
        "source.ip: 203.0.113.1",
        "logweir.alert.count: 5",
    ] {
        assert!(mail.lines().any(|sent| sent == line), "{line} is not in\n{mail}");
    }
}

#[test]
fn a_server_of_an_unknown_authority_is_named_as_the_problem() {
    let (scene, port) = (Scene::new(), free_port());
    make_authority(&scene.path("."));
    make_certificate(&scene.path("."), "server");
    let server =
        Server::start(&scene.path("."), port, &["--smtpscert", "server.pem", "--smtpskey", "server.key"]);
    scene.write_config(&format!("{GUESSING}{MAIL}server = \"smtps://localhost:{port}\"\n"));
    let daemon = scene.run().wait_until_ready();
    scene.write("logs/auth.log", failures("203.0.113.1"));
    eventually(format_args!("the problem is told; {daemon}"), || {
        daemon.log().contains("check `ca_file` and the host in `server`").then_some(())
    });
    assert_eq!(server.mails(), Vec::<String>::new());
}

#[test]
fn the_example_sends_grave_alerts_alone_and_gathers_all() {
    let (scene, port) = (Scene::new(), free_port());
    let server = Server::start(&scene.path("."), port, &[]);
    // All files of a folder are one config.
    std::fs::create_dir(scene.path("config")).unwrap();
    let shown = format!("{}/../config-examples/email.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(shown, scene.path("config/example.toml")).unwrap();
    scene.write("config/admin.toml", format!("[admin]\nlisten = \"{}\"\n", scene.admin()));
    let login = failures("203.0.113.9").lines().next().unwrap().replace("Failed", "Accepted");
    let login = login.replace("T08:00:00", "T08:00:30");
    scene.write("logs/auth.log", failures("203.0.113.1") + &login + "\n");
    let output = Command::new(binary())
        .args(["run".as_ref(), "--once".as_ref(), scene.path("config").as_os_str()])
        .env("LOGWEIR_DATA_DIR", scene.path("data"))
        .env("LOGWEIR_LOGS", scene.log_path("auth.log"))
        .env("LOGWEIR_MAIL_SERVER", format!("smtp://localhost:{port}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mails = server.mails();
    let grave =
        mails.iter().filter(|mail| mail.contains("Subject: [high] Root logs in: 203.0.113.9")).count();
    assert_eq!(grave, 1, "{mails:?}");
    let gathered = mails.iter().filter(|mail| mail.contains("To: ops@example.com, security@example.com"));
    let gathered = gathered.map(|mail| mail.replace("=\n", "")).collect::<String>();
    for part in [
        "SSH password guessing (medium): 5 events of 203.0.113.1",
        "Root logs in (high): 1 events of 203.0.113.9",
    ] {
        assert!(gathered.contains(part), "{part} is not in {gathered}");
    }
}
