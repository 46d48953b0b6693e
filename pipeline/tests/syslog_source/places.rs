//! Addresses that are taken, forbidden or left behind.

use std::net::{TcpListener, UdpSocket};
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
