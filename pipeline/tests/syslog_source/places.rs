//! Addresses that are taken, forbidden or left behind.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};

use logweir_pipeline::source::syslog::{Listen, SyslogError};

use super::lab::{Lab, free_address};

#[track_caller]
fn refusal(lab: &Lab) -> String {
    match lab.try_run() {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_address_in_use_is_refused_on_every_transport() {
    let address = free_address();
    let (_tcp, _udp) = (TcpListener::bind(address).unwrap(), UdpSocket::bind(address).unwrap());
    for listen in [Listen::Tcp(address), Listen::Udp(address)] {
        let text = refusal(&Lab::new(listen.clone()));
        assert!(text.starts_with(&format!("{listen} is in use")), "{text}");
    }
}

#[test]
fn two_sources_never_share_a_udp_port() {
    let lab = Lab::new(Listen::Udp(free_address()));
    let run = lab.run();
    assert!(matches!(lab.try_run().err(), Some(SyslogError::InUse { .. })));
    run.finish();
}

#[test]
fn an_address_of_another_host_is_refused() {
    let text = refusal(&Lab::new(Listen::Tcp("192.0.2.1:5514".parse().unwrap())));
    assert!(text.contains("no address of this host"), "{text}");
}

#[test]
fn a_stale_unix_socket_is_replaced_and_a_live_one_is_not() {
    for listen in [Listen::UnixStream, Listen::UnixDatagram] {
        let mut lab = Lab::tcp().0;
        let path = lab.path("log");
        lab.config.listen = vec![listen(path.clone())];
        let live = UnixListener::bind(&path).unwrap();
        assert!(refusal(&lab).contains("is in use"));
        drop(live);
        let run = lab.run();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666, "not everyone may log");
        run.finish();
        let live = UnixDatagram::bind(&path).unwrap();
        assert!(refusal(&lab).contains("is in use"));
        drop(live);
        lab.run().finish();
    }
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let mut lab = Lab::tcp().0;
    let path = lab.path("log");
    std::fs::write(&path, "precious").unwrap();
    lab.config.listen = vec![Listen::UnixDatagram(path.clone())];
    assert!(refusal(&lab).contains("no socket"));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn ipv6_is_listened_on_alone_and_together_with_ipv4() {
    let free = |address: &str| {
        let listener = TcpListener::bind((address, 0));
        let listener = listener.unwrap_or_else(|error| panic!("this test needs IPv6 on loopback: {error}"));
        listener.local_addr().unwrap()
    };
    for (listen_on, senders) in [("::1", &["::1"][..]), ("::", &["::1", "127.0.0.1"])] {
        let address = free(listen_on);
        for listen in [Listen::Tcp(address), Listen::Udp(address)] {
            let is_tcp = matches!(listen, Listen::Tcp(_));
            let run = Lab::new(listen).run();
            for (number, sender) in senders.iter().enumerate() {
                let text = format!("<13>by {sender}\n");
                let to = (*sender, address.port());
                if is_tcp {
                    TcpStream::connect(to).unwrap().write_all(text.as_bytes()).unwrap();
                } else {
                    UdpSocket::bind((*sender, 0)).unwrap().send_to(text.as_bytes(), to).unwrap();
                }
                let received = &run.expect_count(number + 1)[number];
                assert_eq!(received.text, format!("<13>by {sender}"));
                assert_eq!(received.document["source.ip"], *sender, "on {address}");
            }
            run.finish();
        }
    }
}
