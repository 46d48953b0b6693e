//! TLS: who is let in, what is known of them, and certificates that change.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use logweir_pipeline::source::syslog::{ClientCertificate, Listen, SyslogError, TlsConfig};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::lab::{Lab, connect_and_send, free_address, pause};

/// A lab whose source has a certificate by its own authority.
fn lab() -> (Lab, SocketAddr) {
    let address = free_address();
    let mut lab = Lab::new(Listen::Tls(address));
    let folder = lab.dir.path();
    openssl(
        folder,
        "req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
    );
    certify(folder, "server", "/CN=localhost");
    lab.config.tls = Some(TlsConfig {
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        client_authority: None,
        client_certificate: ClientCertificate::Required,
    });
    (lab, address)
}

/// Makes `NAME.pem` and `NAME.key`, by the folder's authority.
fn certify(folder: &Path, name: &str, subject: &str) {
    fs::write(folder.join("extensions"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        folder,
        &format!("req -newkey ed25519 -nodes -subj {subject} -keyout {name}.key -out {name}.csr"),
    );
    openssl(
        folder,
        &format!(
            "x509 -req -days 2 -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -out {name}.pem"
        ),
    );
}

#[track_caller]
fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs openssl (Debian: openssl): {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A connection of a client with, or without, a certificate.
fn connect(
    folder: &Path,
    address: SocketAddr,
    name: Option<&str>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match name {
        Some(name) => {
            let chain = vec![CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).unwrap()];
            let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let server = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), server).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

/// The serial number of the certificate that the server shows now.
fn served(folder: &Path, address: SocketAddr) -> Vec<u8> {
    let mut connection = connect(folder, address, None);
    connection.write_all(b"<7>who are you\n").unwrap();
    connection.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn messages_come_over_tls() {
    let (lab, address) = lab();
    let run = lab.run();
    let mut connection = connect(lab.dir.path(), address, None);
    let long = "x".repeat(900);
    let mut expected = Vec::new();
    for number in 0..200 {
        let text = format!("<1>{number} {long}");
        write!(connection, "{} {text}", text.len()).unwrap();
        expected.push(text);
    }
    run.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let received = run.finish();
    assert_eq!(received[0].document["source.ip"], "127.0.0.1");
    assert!(received[0].document.get("tls.client.subject").is_none());
    // The source says goodbye when it ends.
    assert_eq!(connection.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_required_certificate_is_checked_and_its_name_is_a_field() {
    let (mut lab, address) = lab();
    let folder = lab.dir.path().to_owned();
    lab.config.tls.as_mut().unwrap().client_authority = Some(folder.join("ca.pem"));
    let run = lab.run();
    certify(&folder, "web1", "/C=DE/O=Shop/CN=web1.example");
    let mut known = connect(&folder, address, Some("web1"));
    known.write_all(b"<1>a\n").unwrap();
    let received = run.expect_count(1);
    assert_eq!(received[0].document["tls.client.subject"], "CN=web1.example,O=Shop,C=DE");

    let mut stranger = connect(&folder, address, None);
    // The client may learn of it only with its first read.
    stranger.write_all(b"<2>b\n").ok();
    assert!(stranger.read(&mut [0]).is_err());
    run.until("it is counted", |run| run.listener().failed.load(Ordering::Relaxed) == 1);
    assert_eq!(run.finish().len(), 1);
}

#[test]
fn an_optional_certificate_may_be_absent() {
    let (mut lab, address) = lab();
    let folder = lab.dir.path().to_owned();
    let tls = lab.config.tls.as_mut().unwrap();
    tls.client_authority = Some(folder.join("ca.pem"));
    tls.client_certificate = ClientCertificate::Optional;
    let run = lab.run();
    certify(&folder, "web1", "/CN=web1");
    for name in [None, Some("web1")] {
        connect(&folder, address, name).write_all(b"<1>a\n").unwrap();
    }
    let mut subjects =
        run.expect_count(2).into_iter().map(|message| message.document["tls.client.subject"].clone());
    assert!(subjects.any(|subject| subject == "CN=web1"));
}

#[test]
fn whoever_does_not_speak_tls_is_refused() {
    let (lab, address) = lab();
    let run = lab.run();
    let _plain = connect_and_send(address, "<1>in the clear\n");
    run.until("it is counted", |run| run.listener().failed.load(Ordering::Relaxed) == 1);
    connect(lab.dir.path(), address, None).write_all(b"<2>a\n").unwrap();
    run.expect(&["<2>a"]);
}

#[test]
fn a_changed_certificate_serves_the_next_connection_and_a_broken_one_does_not() {
    let (lab, address) = lab();
    let folder = lab.dir.path();
    let run = lab.run();
    let first = served(folder, address);
    fs::write(folder.join("server.pem"), "no certificate").unwrap();
    let looks = std::time::Instant::now();
    while looks.elapsed().as_secs() < 2 {
        assert_eq!(served(folder, address), first);
        pause();
    }
    certify(folder, "server", "/CN=localhost");
    run.until("the new certificate serves", |_| served(folder, address) != first);
}

#[test]
fn files_that_cannot_serve_are_named() {
    let (mut lab, _) = lab();
    let folder = lab.dir.path().to_owned();
    certify(&folder, "other", "/CN=other");
    fs::write(folder.join("empty"), "").unwrap();
    let whole = lab.config.tls.clone().unwrap();
    for (tls, expected) in [
        (TlsConfig { certificate: folder.join("absent"), ..whole.clone() }, "absent"),
        (TlsConfig { certificate: folder.join("empty"), ..whole.clone() }, "holds no certificate"),
        (TlsConfig { key: folder.join("empty"), ..whole.clone() }, "holds no private key"),
        (TlsConfig { key: folder.join("other.key"), ..whole.clone() }, "do not serve together"),
        (TlsConfig { client_authority: Some(folder.join("empty")), ..whole.clone() }, "holds no certificate"),
    ] {
        lab.config.tls = Some(tls);
        match lab.try_run().err() {
            Some(SyslogError::Tls(error)) => assert!(error.to_string().contains(expected), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    lab.config.tls = None;
    assert!(matches!(lab.try_run().err(), Some(SyslogError::NoCertificate { .. })));
}
