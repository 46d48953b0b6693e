//! What the system refuses: descriptors, and ports for those who are not root.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use logweir_benchmarks::store::{Faults, Store};

use super::super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use super::{free_address, messages, syslog_to_store};
use crate::support::daemon::{Daemon, binary};
use crate::support::eventually;
use crate::support::scene::Scene;

/// Files and sockets that the daemon may have open, of which it needs some thirty for itself.
const DESCRIPTORS: usize = 64;

#[test]
fn connections_wait_while_there_are_no_descriptors_and_lose_nothing() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let tcp = free_address();
    let config = scene.write_config(&syslog_to_store(&[format!("tcp://{tcp}")], "", &store.url()));
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}")).arg(binary());
    let daemon = Daemon::run_by(&mut limited, &config, scene.admin(), &scene.path("daemon.log"));
    let daemon = daemon.wait_until_ready();
    let mut connections = messages(0..100).map(|line| {
        let mut connection = TcpStream::connect(tcp).unwrap();
        connection.write_all(&line).unwrap();
        connection
    });
    // The first one makes the output connect, too.
    let first = connections.next().unwrap();
    eventually(format_args!("the first message is stored; {daemon}"), || (store.len() == 1).then_some(()));
    let mut open = connections.collect::<Vec<_>>();
    eventually(format_args!("descriptors run out; {daemon}"), || {
        daemon.log().contains("cannot accept a connection").then_some(())
    });
    // Whoever was let in is served meanwhile.
    eventually(format_args!("messages are stored; {daemon}"), || (store.len() > 5).then_some(()));
    assert!(store.len() <= DESCRIPTORS);
    drop(first);
    eventually(format_args!("all messages are stored; {daemon}"), || {
        let served = store.len().saturating_sub(1).min(open.len());
        open.drain(..served / 2).for_each(drop);
        (store.len() == 100).then_some(())
    });
    drop(open);
    wait_until_settled(&daemon, &store, 100);
    assert_nothing_lost_nothing_doubled(&store, 100);
    let complaints = daemon.log().matches("cannot accept a connection").count();
    assert!(complaints <= 20, "{complaints} complaints");
}

#[test]
fn a_port_that_only_root_may_have_is_refused_with_what_to_do() {
    assert!(rustix::process::geteuid().is_root(), "this test becomes another user and must run as root");
    for transport in ["tcp", "udp"] {
        let scene = Scene::new();
        let listen = format!("{transport}://0.0.0.0:514");
        let config =
            scene.write_config(&syslog_to_store(std::slice::from_ref(&listen), "", "http://127.0.0.1:1"));
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace(&scene.admin().to_string(), "off")).unwrap();
        let copy = scene.path("logweir");
        fs::copy(binary(), &copy).unwrap();
        std::os::unix::fs::chown(scene.path(""), Some(65_534), Some(65_534)).unwrap();
        // In a network namespace of its own ports begin at 1024 again, whatever the machine allows to all.
        let output = Command::new("unshare")
            .args(["--net", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(copy)
            .arg("run")
            .arg(&config)
            .output();
        let output = output.unwrap_or_else(|error| panic!("this test needs unshare and setpriv: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in ["source `net`", &listen, "CAP_NET_BIND_SERVICE", "choose a port from 1024 on"] {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
    }
}
