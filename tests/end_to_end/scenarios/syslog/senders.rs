//! Senders that nobody here wrote: `logger` of util-linux and rsyslog.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use logweir_benchmarks::store::{Faults, Store};
use serde_json::Value;

use super::{free_address, syslog_to_store};
use crate::support::eventually;
use crate::support::scene::Scene;
use crate::support::services::secured::make_authority;

/// A document by its message, which a sender may have begun with a byte order mark or a space.
fn document(store: &Store, message: &str) -> Value {
    eventually(format!("`{message}` is stored"), || {
        let documents = store.stored().into_iter();
        documents.map(|document| serde_json::from_slice::<Value>(&document.source).unwrap()).find(
            |document| {
                document["message"]
                    .as_str()
                    .is_some_and(|text| text.trim_start_matches(['\u{feff}', ' ']) == message)
            },
        )
    })
}

/// Runs `logger`.
#[track_caller]
fn logger(arguments: &[&str]) {
    match Command::new("logger").args(arguments).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("this test needs logger (Debian: bsdutils or util-linux): {error}"),
    }
}

#[test]
fn logger_is_understood_on_each_of_its_transports() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let (udp, tcp) = (free_address(), free_address());
    let (stream, datagram) =
        (scene.path("stream.sock").display().to_string(), scene.path("log").display().to_string());
    let listen = [
        format!("udp://{udp}"),
        format!("tcp://{tcp}"),
        format!("unix://{stream}"),
        format!("unixgram://{datagram}"),
    ];
    scene.write_config(&syslog_to_store(&listen, "", &store.url()));
    let _daemon = scene.run().wait_until_ready();

    let (udp_port, tcp_port) = (udp.port().to_string(), tcp.port().to_string());
    let udp = ["--server", "127.0.0.1", "--port", &udp_port, "--udp"];
    let tcp = ["--server", "127.0.0.1", "--port", &tcp_port, "--tcp"];
    let octets = ["--server", "127.0.0.1", "--port", &tcp_port, "--tcp", "--octet-count"];
    let stream = ["--socket", &stream];
    let datagram = ["--socket", &datagram];
    let ways: [(&str, &[&str]); 5] =
        [("udp", &udp), ("tcp", &tcp), ("octets", &octets), ("stream", &stream), ("datagram", &datagram)];
    for (way, arguments) in ways {
        for form in ["--rfc3164", "--rfc5424"] {
            let text = format!("hello by {way} as {form}");
            let common = [form, "--tag", "shop", "--priority", "auth.warning", "--id=4711", "--", &text];
            logger(&[arguments, &common].concat());
            let document = document(&store, &text);
            assert_eq!(document["log.syslog.appname"], "shop", "{document}");
            assert_eq!(document["log.syslog.facility.name"], "auth", "{document}");
            assert_eq!(document["log.syslog.severity.name"], "warning", "{document}");
            assert_eq!(document["process.pid"], 4711, "{document}");
            let remote = matches!(way, "udp" | "tcp" | "octets");
            assert_eq!(document["source.ip"].is_string(), remote, "{document}");
        }
    }
}

/// A running rsyslog, ended when dropped.
struct Rsyslog(Child);

impl Rsyslog {
    /// Starts one that sends what comes by a Unix socket, `input.sock` in the folder.
    #[track_caller]
    fn start(folder: &Path, forward: &str) -> Self {
        let here = folder.display();
        let config = format!(
            "global(workDirectory=\"{here}\" defaultNetstreamDriverCAFile=\"{here}/authority.pem\")\n\
             module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             input(type=\"imuxsock\" Socket=\"{here}/input.sock\")\n\
             {forward}\n"
        );
        fs::write(folder.join("rsyslog.conf"), config).unwrap();
        let child = Command::new("rsyslogd")
            .args(["-n", "-i"])
            .arg(folder.join("rsyslog.pid"))
            .arg("-f")
            .arg(folder.join("rsyslog.conf"))
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.join("rsyslog.log")).unwrap())
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("this test needs rsyslogd (Debian: rsyslog and rsyslog-gnutls): {error}")
        });
        let rsyslog = Self(child);
        eventually("rsyslog listens", || folder.join("input.sock").try_exists().unwrap().then_some(()));
        rsyslog
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// An action of rsyslog's configuration.
fn forward(address: SocketAddr, more: &str) -> String {
    format!(
        "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{}\" template=\"RSYSLOG_SyslogProtocol23Format\" {more})",
        address.port()
    )
}

#[test]
fn rsyslog_is_understood_on_each_of_its_transports() {
    let scene = Scene::new();
    let folder = scene.path(".");
    make_authority(&folder);
    certify(&folder);
    let store = Store::start(Faults::default()).unwrap();
    let (udp, lines, octets, tls) = (free_address(), free_address(), free_address(), free_address());
    let listen =
        [format!("udp://{udp}"), format!("tcp://{lines}"), format!("tcp://{octets}"), format!("tls://{tls}")];
    let more = "tls = { certificate = \"{here}/node.pem\", key = \"{here}/node.key\" }";
    scene.write_config(&syslog_to_store(&listen, more, &store.url()));
    let daemon = scene.run().wait_until_ready();
    let authenticated = "protocol=\"tcp\" TCP_Framing=\"octet-counted\" StreamDriver=\"gtls\" StreamDriverMode=\"1\" \
                         StreamDriverAuthMode=\"x509/name\" StreamDriverPermittedPeers=\"localhost\"";
    let ways = [
        (udp, "protocol=\"udp\""),
        (lines, "protocol=\"tcp\" TCP_Framing=\"traditional\""),
        (octets, "protocol=\"tcp\" TCP_Framing=\"octet-counted\""),
        (tls, authenticated),
    ];
    for (number, (address, more)) in ways.into_iter().enumerate() {
        let folder = scene.path(format!("rsyslog-{number}"));
        fs::create_dir(&folder).unwrap();
        fs::copy(scene.path("authority.pem"), folder.join("authority.pem")).unwrap();
        let _rsyslog = Rsyslog::start(&folder, &forward(address, more));
        let input = folder.join("input.sock").display().to_string();
        for line in 0..100 {
            let text = format!("line {line} by way {number}");
            logger(&["--socket", &input, "--tag", "shop", "--priority", "user.info", "--", &text]);
        }
        for line in 0..100 {
            let document = document(&store, &format!("line {line} by way {number}"));
            assert_eq!(document["process.name"], "shop", "{document}");
            assert_eq!(document["log.syslog.version"], "1", "{document}");
            assert_eq!(document["source.ip"], "127.0.0.1", "{document}; {daemon}");
        }
    }
}

/// Makes `node.pem` and `node.key` for `localhost`, by the folder's authority.
fn certify(folder: &Path) {
    fs::write(folder.join("extensions"), "subjectAltName=DNS:localhost\n").unwrap();
    for arguments in [
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout node.key -out node.csr",
        "x509 -req -days 2 -in node.csr -CA authority.pem -CAkey authority.key -CAcreateserial \
         -extfile extensions -out node.pem",
    ] {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
        let output = output.unwrap_or_else(|error| panic!("this test needs openssl: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
