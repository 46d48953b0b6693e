//! Connections: framing, back-pressure, misbehaviour, the end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use logweir_pipeline::source::syslog::Listen;

use super::lab::{DEADLINE, HOST, Lab, connect_and_send, pause};

/// Waits until the peer has closed.
fn expect_closed(connection: &mut TcpStream) {
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    match connection.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn all_framings_share_a_connection() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    let _connection = connect_and_send(address, "9 <1>a\nb cd<2>e\n<3>f\0\n\n4 <4>g<5>h\r\n");
    run.expect(&["<1>a\nb cd", "<2>e", "<3>f", "<4>g", "<5>h"]);
}

#[test]
fn events_have_their_sender() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    let connections = [0, 1].map(|number| connect_and_send(address, format!("<1>{number}\n")));
    for message in run.expect_count(2) {
        let number = message.text[3..].parse::<usize>().unwrap();
        let port = connections[number].local_addr().unwrap().port();
        assert_eq!(message.document["source.ip"], "127.0.0.1");
        assert_eq!(message.document["source.port"], port);
        assert_eq!(message.document["observer.hostname"], HOST);
        assert_eq!(message.document["observer.type"], "forwarder");
        assert!(message.document.get("host.name").is_none());
    }
}

#[test]
fn a_single_message_leaves_at_once_and_a_byte_at_a_time_is_still_one_message() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    let mut connection = connect_and_send(address, "<1>first\n");
    connection.set_nodelay(true).unwrap();
    run.expect(&["<1>first"]);
    for byte in b"11 <2>the\nnext" {
        connection.write_all(&[*byte]).unwrap();
        pause();
    }
    run.expect(&["<1>first", "<2>the\nnext"]);
}

#[test]
fn a_message_longer_than_the_limit_is_cut_and_the_next_one_is_whole() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    let long = "x".repeat(5000);
    let _connection = connect_and_send(address, format!("<1>{long}\n<2>a\n5003 <3>{long}4 <4>b"));
    let cut = |priority: &str| format!("{priority}{}~", &long[..997]);
    run.expect(&[&cut("<1>"), "<2>a", &cut("<3>"), "<4>b"]);
    assert_eq!(run.listener().cut.load(Ordering::Relaxed), 2);
}

#[test]
fn a_frame_of_100_megabytes_costs_one_message() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    let mut connection = connect_and_send(address, "100000000 ");
    let megabyte = vec![b'x'; 1_000_000];
    for _ in 0..100 {
        connection.write_all(&megabyte).unwrap();
    }
    connection.write_all(b"4 <1>a").unwrap();
    run.expect(&[&format!("{}~", "x".repeat(1000)), "<1>a"]);
    assert_eq!(run.ledger.counts().bytes, 1004);
}

#[test]
fn what_a_peer_leaves_unfinished_is_taken_when_it_ends() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    drop(connect_and_send(address, "<1>a\n<2>line without end"));
    run.expect(&["<1>a", "<2>line without end"]);
    drop(connect_and_send(address, "100 <3>count without end"));
    run.expect(&["<1>a", "<2>line without end", "<3>count without end~"]);
    run.until("both are closed", |run| run.listener().open.load(Ordering::Relaxed) == 0);
}

#[test]
fn a_line_whose_end_does_not_come_is_taken_and_its_connection_goes_on() {
    let (mut lab, address) = Lab::tcp();
    lab.config.frame_timeout = Duration::from_millis(300);
    let run = lab.run();
    let mut connection = connect_and_send(address, "<1>no end");
    run.expect(&["<1>no end"]);
    connection.write_all(b"<2>next\n").unwrap();
    run.expect(&["<1>no end", "<2>next"]);
}

#[test]
fn a_count_that_promises_too_much_closes_its_connection() {
    let (mut lab, address) = Lab::tcp();
    lab.config.frame_timeout = Duration::from_millis(300);
    let run = lab.run();
    let mut connection = connect_and_send(address, "100 <1>short");
    run.expect(&["<1>short~"]);
    expect_closed(&mut connection);
    // Also while the rest of a message that was cut is passed over.
    let mut connection = connect_and_send(address, format!("90000000 {}", "x".repeat(2000)));
    expect_closed(&mut connection);
    assert_eq!(run.listener().failed.load(Ordering::Relaxed), 2);
}

#[test]
fn a_slow_peer_gains_no_time_by_sending_slowly() {
    let (mut lab, address) = Lab::tcp();
    lab.config.frame_timeout = Duration::from_millis(500);
    let run = lab.run();
    let mut connection = connect_and_send(address, "<1>");
    // Fewer than the longest message has, which would leave without an end.
    let (mut sent, most) = (0, 900);
    while run.batches() == 0 && sent < most {
        connection.write_all(b"x").unwrap();
        sent += 1;
        pause();
    }
    assert!((1..most).contains(&sent), "{sent} bytes kept the message open");
}

#[test]
fn silent_connections_are_closed_only_when_the_config_says_so() {
    let (mut lab, address) = Lab::tcp();
    lab.config.idle_timeout = Some(Duration::from_millis(300));
    let run = lab.run();
    let mut connection = connect_and_send(address, "<1>a\n");
    expect_closed(&mut connection);
    run.expect(&["<1>a"]);
}

#[test]
fn connections_beyond_the_limit_are_refused_and_counted() {
    let (mut lab, address) = Lab::tcp();
    lab.config.connections_max = 2;
    let run = lab.run();
    let first = connect_and_send(address, "<1>a\n");
    let _second = connect_and_send(address, "<2>b\n");
    run.expect_count(2);
    let mut third = TcpStream::connect(address).unwrap();
    expect_closed(&mut third);
    assert_eq!(run.listener().refused.load(Ordering::Relaxed), 1);
    drop(first);
    run.until("a place is free", |run| run.listener().open.load(Ordering::Relaxed) == 1);
    let _fourth = connect_and_send(address, "<3>c\n");
    run.expect_count(3);
}

#[test]
fn a_full_pipeline_makes_the_sender_wait_and_loses_nothing() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    run.pause(true);
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let (mut sent, mut block, filler) = (0_u64, Vec::new(), "x".repeat(900));
    'full: loop {
        block.clear();
        (sent..sent + 1000).for_each(|number| writeln!(block, "<1>message {number:09} {filler}").unwrap());
        let mut rest = block.as_slice();
        while !rest.is_empty() {
            match connection.write(rest) {
                Ok(written) => rest = &rest[written..],
                // The sender waits: goes on where it was, when there is room.
                Err(_) => {
                    run.pause(false);
                    connection.write_all(rest).unwrap();
                    sent += 1000;
                    break 'full;
                }
            }
        }
        sent += 1000;
        assert!(sent < 20_000_000, "the sender never had to wait");
    }
    let received = run.expect_count(usize::try_from(sent).unwrap());
    for (number, message) in received.iter().enumerate() {
        assert!(message.text.starts_with(&format!("<1>message {number:09} ")), "{}", message.text);
    }
    run.finish();
}

#[test]
fn what_was_delivered_before_the_stop_is_taken() {
    for workers in [1, 2] {
        let (mut lab, address) = Lab::tcp();
        lab.workers = workers;
        let run = lab.run();
        let mut connections = Vec::new();
        for connection in 0..50 {
            let lines = (0..200).map(|line| format!("<1>{connection} {line}\n")).collect::<String>();
            connections.push(connect_and_send(address, lines + "<1>the last has no end"));
        }
        // Some connections are not even accepted yet.
        let received = run.finish();
        assert_eq!(received.len(), 50 * 201, "with {workers} workers");
    }
}

#[test]
fn a_peer_that_never_ends_does_not_keep_the_source() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    let mut connection = connect_and_send(address, "<1>a\n");
    let sender = std::thread::spawn(move || {
        let (mut sent, line) = (1, format!("<1>{}\n", "x".repeat(950)));
        while connection.write_all(line.as_bytes()).is_ok() {
            sent += 1;
        }
        sent
    });
    run.until("some came", |run| run.batches() > 10);
    let received = run.finish();
    assert!(received.len() <= sender.join().unwrap());
}

#[test]
fn many_connections_keep_the_order_of_each() {
    let (mut lab, address) = Lab::tcp();
    lab.workers = 2;
    let run = lab.run();
    let mut connections = (0..400).map(|_| TcpStream::connect(address).unwrap()).collect::<Vec<_>>();
    for line in 0..50 {
        for (number, connection) in connections.iter_mut().enumerate() {
            writeln!(connection, "<1>{number} {line}").unwrap();
        }
    }
    let received = run.expect_count(400 * 50);
    let mut next = vec![0; 400];
    for message in &received {
        let (number, line) = message.text[3..].split_once(' ').unwrap();
        let number = number.parse::<usize>().unwrap();
        assert_eq!(line.parse::<usize>().unwrap(), next[number]);
        next[number] += 1;
        let port = connections[number].local_addr().unwrap().port();
        assert_eq!(message.document["source.port"], port, "another's sender");
    }
    let streams = received.iter().map(|message| message.id.0 % 2).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(streams.len(), 2, "only one worker has something to do");
    run.finish();
}

#[test]
fn garbage_is_a_message_and_the_source_goes_on() {
    let (lab, address) = Lab::tcp();
    let run = lab.run();
    let garbage = (0..=255_u8).filter(|byte| !matches!(byte, 0 | b'\n' | b'\r')).collect::<Vec<_>>();
    let mut connection = connect_and_send(address, [garbage.as_slice(), b"\n<1>a\n"].concat());
    connection.shutdown(Shutdown::Write).unwrap();
    assert_eq!(run.expect_count(2)[1].text, "<1>a");
    expect_closed(&mut connection);
}

#[test]
fn a_unix_stream_is_of_this_host() {
    let mut lab = Lab::tcp().0;
    let path = lab.path("s.sock");
    lab.config.listen = vec![Listen::UnixStream(path.clone())];
    let run = lab.run();
    let mut connection = UnixStream::connect(&path).unwrap();
    connection.write_all(b"<1>a\n4 <2>b").unwrap();
    let received = run.expect_count(2);
    assert_eq!(received[1].document["host.name"], HOST);
    assert!(received[1].document.get("source.ip").is_none());
    run.finish();
    assert!(!path.try_exists().unwrap(), "the socket stays behind");
}
