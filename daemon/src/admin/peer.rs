//! Who is at the other end of a connection from this host.
//!
//! Owns: [`user_of`], by the kernel's tables of TCP sockets.
//! Promises: no user for a peer on another host.
//! Never: trusts what the peer says.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Both families: an IPv6 socket may speak IPv4.
const TABLES: &[&str] = &["/proc/net/tcp", "/proc/net/tcp6"];

/// The number of the user whose socket is `peer`, connected to our port; `None` when it is not of this host.
pub(super) fn user_of(peer: SocketAddr, our_port: u16) -> io::Result<Option<u32>> {
    let mut last = Ok(None);
    for table in TABLES {
        last = File::open(table).and_then(|table| find(BufReader::new(table), peer, our_port));
        if let Ok(Some(_)) = last {
            return last;
        }
    }
    last
}

fn find(table: impl BufRead, peer: SocketAddr, our_port: u16) -> io::Result<Option<u32>> {
    let peer = (peer.ip().to_canonical(), peer.port());
    for line in table.lines().skip(1) {
        let line = line?;
        // Number, local address, remote address, state, queues, timer, retransmits, user.
        let mut words = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (words.next().and_then(endpoint), words.next().and_then(endpoint));
        if local == Some(peer) && remote.is_some_and(|(_, port)| port == our_port) {
            return Ok(words.nth(4).and_then(|user| user.parse().ok()));
        }
    }
    Ok(None)
}

/// `0100007F:1F90`: the address in words of 32 bits, each in the order of this machine's bytes, and the port.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let words = address.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).ok()?;
        u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    let address = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(bytes) => IpAddr::from(bytes),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_of_ours_is_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let our_port = listener.local_addr().unwrap().port();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let user = user_of(peer.local_addr().unwrap(), our_port).unwrap();
        assert_eq!(user, Some(rustix::process::geteuid().as_raw()));
        assert_eq!(user_of(peer.local_addr().unwrap(), our_port ^ 1).unwrap(), None);
    }

    #[test]
    fn an_ipv4_peer_on_an_ipv6_socket_is_found_and_a_strange_one_not() {
        let table = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0000000000000000FFFF00000100007F:D431 0000000000000000FFFF00000100007F:257E 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1\n";
        let find = |peer: &str| find(table.as_bytes(), peer.parse().unwrap(), 0x257e).unwrap();
        assert_eq!(find("127.0.0.1:54321"), Some(1000));
        assert_eq!(find("[::ffff:127.0.0.1]:54321"), Some(1000));
        assert_eq!(find("192.0.2.1:54321"), None);
    }
}
