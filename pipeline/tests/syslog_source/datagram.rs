//! Datagrams: their text, their senders, and what the kernel drops.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::Ordering;
use std::time::Duration;

use logweir_pipeline::Stop;
use logweir_pipeline::source::syslog::Listen;

use super::lab::{HOST, Lab, free_address};

#[test]
fn a_datagram_is_a_message() {
    let address = free_address();
    let lab = Lab::new(Listen::Udp(address));
    let run = lab.run();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let long = "x".repeat(3000);
    for text in ["<1>a", "<2>b\n", "", "\n", "<3>two\nlines\r\n", &long, "5 <4>c"] {
        sender.send_to(text.as_bytes(), address).unwrap();
    }
    run.expect(&["<1>a", "<2>b", "<3>two\nlines", &format!("{}~", &long[..1000]), "5 <4>c"]);
    let counts = run.listener();
    assert_eq!(counts.messages.load(Ordering::Relaxed), 5);
    assert_eq!(counts.cut.load(Ordering::Relaxed), 1);
    run.finish();
}

#[test]
fn each_datagram_has_its_own_sender() {
    let address = free_address();
    let mut lab = Lab::new(Listen::Udp(address));
    lab.workers = 2;
    let run = lab.run();
    // More than the senders of one batch.
    let senders = (0..600).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect::<Vec<_>>();
    for turn in 0..3 {
        for sender in &senders {
            let port = sender.local_addr().unwrap().port();
            sender.send_to(format!("<1>{port} {turn}").as_bytes(), address).unwrap();
        }
    }
    for message in run.expect_count(1800) {
        let port = message.text[3..].split(' ').next().unwrap().parse::<u16>().unwrap();
        assert_eq!(message.document["source.port"], port);
        assert_eq!(message.document["source.ip"], "127.0.0.1");
        assert_eq!(message.document["observer.hostname"], HOST);
    }
    run.finish();
}

#[test]
fn what_the_kernel_drops_is_counted_to_the_datagram() {
    let address = free_address();
    let mut lab = Lab::new(Listen::Udp(address));
    lab.config.receive_buffer = 64 * 1024;
    let run = lab.run();
    run.pause(true);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let text = vec![b'x'; 900];
    let mut sent = 0;
    while run.listener().kernel_drops() == 0 {
        for _ in 0..1000 {
            sender.send_to(&text, address).unwrap();
        }
        sent += 1000;
        assert!(sent < 1_000_000, "the kernel never dropped one");
    }
    run.pause(false);
    let dropped = run.listener().kernel_drops();
    let received = run.expect_count(usize::try_from(sent - dropped).unwrap());
    assert!(!received.is_empty());
    run.finish();
}

#[test]
fn datagrams_before_the_stop_are_taken() {
    let address = free_address();
    let lab = Lab::new(Listen::Udp(address));
    let run = lab.run();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..500 {
        sender.send_to(format!("<1>{number}").as_bytes(), address).unwrap();
    }
    assert_eq!(run.finish().len(), 500);
}

#[test]
fn many_datagrams_share_a_batch_and_one_leaves_alone() {
    let address = free_address();
    let lab = Lab::new(Listen::Udp(address));
    let run = lab.run();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"<1>alone", address).unwrap();
    run.expect(&["<1>alone"]);
    run.pause(true);
    for number in 0..500 {
        sender.send_to(format!("<1>{number}").as_bytes(), address).unwrap();
    }
    assert!(!Stop::default().wait(Duration::from_millis(50)));
    run.pause(false);
    run.expect_count(501);
    assert!(run.batches() < 100, "{} batches", run.batches());
    run.finish();
}

#[test]
fn a_unix_datagram_is_of_this_host() {
    let mut lab = Lab::tcp().0;
    let path = lab.path("log");
    lab.config.listen = vec![Listen::UnixDatagram(path.clone())];
    lab.config.message_bytes_max = 1024 * 1024;
    let run = lab.run();
    let sender = UnixDatagram::unbound().unwrap();
    let named = UnixDatagram::bind(lab.path("sender")).unwrap();
    let long = "x".repeat(100_000);
    for text in ["<1>a\n", "<2>b\0", &long] {
        sender.send_to(text.as_bytes(), &path).unwrap();
        named.send_to(text.as_bytes(), &path).unwrap();
    }
    let received = run.expect_count(6);
    assert_eq!((received[0].text.as_str(), received[2].text.as_str()), ("<1>a", "<2>b"));
    assert!(received[5].cut && received[5].text.len() == 64 * 1024);
    assert_eq!(received[5].document["host.name"], HOST);
    run.finish();
    assert!(!path.try_exists().unwrap(), "the socket stays behind");
}
