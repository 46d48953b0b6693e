//! Syslog over every transport into the real binary: numbered messages, hostile peers, and senders that others wrote.

mod host_programs;
mod limits;
mod senders;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::ops::Range;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use logweir_benchmarks::generate::{LineFormat, LineGenerator};
use logweir_benchmarks::pace::pause_until;
use logweir_benchmarks::store::{Faults, Mode, Store};
use serde_json::Value;

use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::daemon::{Daemon, logweir};
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::{eventually, free_port, http, within};

/// The config of a syslog source into one Elasticsearch output; `more` are keys of the source.
fn syslog_to_store(listen: &[String], more: &str, url: &str) -> String {
    format!(
        "[sources.net]\ntype = \"syslog\"\nlisten = {listen:?}\n{more}\n\
         [outputs.store]\ntype = \"elasticsearch\"\ninputs = [\"net\"]\nurls = [\"{url}\"]\n"
    )
}

fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// Numbered messages, each with the line feed that ends it.
fn messages(numbers: Range<u64>) -> impl Iterator<Item = Vec<u8>> {
    let mut generator = LineGenerator::new(LineFormat::Syslog5424, numbers.start);
    numbers.map(move |number| {
        let mut line = Vec::new();
        generator.write_numbered(&mut line, number).unwrap();
        line
    })
}

/// The messages in a stream: by turns with a line feed, a NUL and an octet count.
fn framed(numbers: Range<u64>) -> Vec<u8> {
    let mut stream = Vec::new();
    for (number, mut line) in messages(numbers).enumerate() {
        match number % 3 {
            0 => {}
            1 => *line.last_mut().unwrap() = 0,
            _ => {
                line.pop();
                write!(stream, "{} ", line.len()).unwrap();
            }
        }
        stream.extend_from_slice(&line);
    }
    stream
}

/// What `/api/sources` says of the source's listeners.
fn listeners(daemon: &Daemon) -> Vec<Value> {
    let answer = http::get(daemon.admin(), "/api/sources").unwrap().json();
    answer["sources"]["net"]["listeners"].as_array().unwrap().clone()
}

/// A datagram sender that is slower than any receiver, so that no buffer overflows.
fn send_datagrams(numbers: Range<u64>, mut send: impl FnMut(&[u8])) {
    for (sent, line) in messages(numbers).enumerate() {
        send(&line);
        if sent % 100 == 99 {
            pause_until(Instant::now() + Duration::from_millis(2));
        }
    }
}

#[test]
fn every_transport_delivers_each_message_once() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let (udp, tcp) = (free_address(), free_address());
    let (stream, datagram) = (scene.path("stream.sock"), scene.path("log"));
    let listen = [
        format!("udp://{udp}"),
        format!("tcp://{tcp}"),
        format!("unix://{}", stream.display()),
        format!("unixgram://{}", datagram.display()),
    ];
    scene.write_config(&syslog_to_store(&listen, "", &store.url()));
    let mut daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            send_datagrams(0..10_000, |line| _ = socket.send_to(line, udp).unwrap());
        });
        scope.spawn(|| TcpStream::connect(tcp).unwrap().write_all(&framed(10_000..40_000)).unwrap());
        scope.spawn(|| UnixStream::connect(&stream).unwrap().write_all(&framed(40_000..60_000)).unwrap());
        scope.spawn(|| {
            let socket = UnixDatagram::unbound().unwrap();
            send_datagrams(60_000..70_000, |line| _ = socket.send_to(line, &datagram).unwrap());
        });
    });
    wait_until_settled(&daemon, &store, 70_000);
    assert_nothing_lost_nothing_doubled(&store, 70_000);
    witness.assert_it_always_added_up();
    let counts = listeners(&daemon).iter().map(|listener| listener["messages"].as_u64()).collect::<Vec<_>>();
    assert_eq!(counts, [10_000, 30_000, 20_000, 10_000].map(Some));
    let metrics = http::get(scene.admin(), "/metrics").unwrap().body;
    let line = format!("logweir_syslog_messages_total{{source=\"net\",listen=\"tcp://{tcp}\"}} 30000");
    assert!(metrics.contains(&line), "{metrics}");
    assert!(metrics.contains("logweir_syslog_clock_skew_seconds{source=\"net\",host=\"web-"), "{metrics}");
    check_documents(&store);
    assert!(daemon.terminate().success(), "{daemon}");
    assert!(!stream.try_exists().unwrap() && !datagram.try_exists().unwrap(), "sockets stay behind");
}

/// Network senders are named, and the host is the one that the message names.
fn check_documents(store: &Store) {
    for document in store.stored() {
        let document: Value = serde_json::from_slice(&document.source).unwrap();
        let (host, message) = (&document["host.hostname"], &document["message"]);
        assert!(host.as_str().is_some_and(|host| host.starts_with("web-")), "{document}");
        let remote = document["source.ip"] == "127.0.0.1" && document["observer.type"] == "forwarder";
        // This host is an observer of what others say, and the host of what its own processes say.
        assert_eq!(remote, document["host.name"] == *host, "{message}: {document}");
        assert_eq!(remote, document["observer.hostname"].is_string(), "{message}: {document}");
    }
}

#[test]
fn sigterm_drains_what_tcp_delivered() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let tcp = free_address();
    scene.write_config(&syslog_to_store(&[format!("tcp://{tcp}")], "", &store.url()));
    let mut daemon = scene.run().wait_until_ready();
    let mut connections = Vec::new();
    for number in 0..20 {
        let mut connection = TcpStream::connect(tcp).unwrap();
        connection.write_all(&framed(number * 500..(number + 1) * 500)).unwrap();
        connections.push(connection);
    }
    assert!(daemon.terminate().success(), "{daemon}");
    assert_nothing_lost_nothing_doubled(&store, 10_000);
}

#[test]
fn a_dead_store_makes_tcp_senders_wait_and_loses_nothing() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    store.set_mode(Mode::Hanging);
    let tcp = free_address();
    let config = syslog_to_store(&[format!("tcp://{tcp}")], "", &store.url());
    scene.write_config(&format!("memory = \"32MiB\"\n{config}queue_bytes = \"1MiB\"\n"));
    let daemon = scene.run().wait_until_ready();
    let lines = 300_000;
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| TcpStream::connect(tcp).unwrap().write_all(&framed(0..lines)));
        let read = || Ledger::read(daemon.admin()).map_or(0, |ledger| ledger.read);
        let mut last = 0;
        within(Duration::from_secs(60), "reading comes to a halt", || {
            pause_until(Instant::now() + Duration::from_millis(500));
            let halted = read() == last && last > 0;
            last = read();
            halted.then_some(())
        });
        assert!(last < lines && !sender.is_finished(), "{last} of {lines} messages fit, so nobody waited");
        store.set_mode(Mode::Serving);
        sender.join().unwrap().unwrap();
    });
    wait_until_settled(&daemon, &store, lines);
    assert_nothing_lost_nothing_doubled(&store, lines);
}

#[test]
fn hostile_peers_do_not_disturb_the_others() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let tcp = free_address();
    let more = "frame_timeout = \"1s\"\nmax_message_bytes = \"8KiB\"\nmax_connections = 150";
    scene.write_config(&syslog_to_store(&[format!("tcp://{tcp}")], more, &store.url()));
    let daemon = scene.run().wait_until_ready();
    let connect = || TcpStream::connect(tcp).unwrap();

    // A frame that is announced with 100 MB and sent half, one that never comes, and one that comes a byte at a time.
    let mut large = connect();
    large.write_all(b"100000000 ").unwrap();
    (0..50).for_each(|_| large.write_all(&[b'x'; 1_000_000]).unwrap());
    let mut liar = connect();
    liar.write_all(b"500 <13>too short").unwrap();
    let mut slow = connect();
    let slow_peer = std::thread::spawn(move || {
        (0..100).all(|_| {
            pause_until(Instant::now() + Duration::from_millis(20));
            slow.write_all(b"x").is_ok()
        })
    });
    // Bytes that mean nothing, and connections that never speak.
    let garbage = (0..100_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8);
    connect().write_all(&garbage.collect::<Vec<_>>()).unwrap();
    let silent = (0..50).map(|_| connect()).collect::<Vec<_>>();

    std::thread::scope(|scope| {
        for number in 0..40 {
            scope.spawn(move || connect().write_all(&framed(number * 500..(number + 1) * 500)).unwrap());
        }
    });
    eventually("all messages are stored", || {
        let verdict = store.verdict(0..20_000);
        (verdict.lost.is_empty() && verdict.doubled.is_empty()).then_some(())
    });
    assert!(slow_peer.join().unwrap(), "a slow peer was hung up on");
    // Both frames were closed in time.
    for mut peer in [large, liar] {
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert!(matches!(peer.read(&mut [0]), Ok(0)) || peer.write_all(b"x").is_err());
    }
    let listener = &listeners(&daemon)[0];
    assert!(listener["failed"].as_u64() >= Some(2) && listener["cut"].as_u64() >= Some(2), "{listener}");
    assert!(silent.len() as u64 <= listener["connections"].as_u64().unwrap());
    assert!(Ledger::read(scene.admin()).unwrap().adds_up());
}

#[test]
fn a_port_in_use_and_a_run_without_end_are_refused() {
    let scene = Scene::new();
    let tcp = free_address();
    let holder = std::net::TcpListener::bind(tcp).unwrap();
    let config = scene.write_config(&syslog_to_store(&[format!("tcp://{tcp}")], "", "http://127.0.0.1:1"));
    let said = |arguments: &[&Path]| {
        let output = logweir(["run".as_ref()].iter().chain(arguments));
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let in_use = said(&[&config]);
    assert!(
        in_use.contains("source `net`") && in_use.contains(&format!("tcp://{tcp} is in use")),
        "{in_use}"
    );
    drop(holder);
    let once = said(&[Path::new("--once"), &config]);
    assert!(once.contains("`net`") && once.contains("--once"), "{once}");
}
