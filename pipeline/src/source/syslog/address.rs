//! Where a syslog source listens: the URLs of the config.
//!
//! Owns: [`Listen`] and what is wrong with a URL.
//! Promises: what is shown is a URL that reads back as the same.
//! Never: opens a socket; never looks up a name.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A transport and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Datagrams over UDP (RFC 5426).
    Udp(SocketAddr),
    /// A stream over TCP (RFC 6587).
    Tcp(SocketAddr),
    /// A stream over TLS (RFC 5425).
    Tls(SocketAddr),
    /// A Unix stream socket.
    UnixStream(PathBuf),
    /// A Unix datagram socket, as `/dev/log` is.
    UnixDatagram(PathBuf),
}

/// What is wrong with a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// There is no `://`, or a scheme that nobody knows before it.
    #[error("expected udp://, tcp://, tls://, unix:// or unixgram://")]
    Scheme,
    /// No address and port follow the scheme.
    #[error("expected an IP address and a port behind `{scheme}://`, such as {scheme}://0.0.0.0:{port}")]
    Address {
        /// The scheme.
        scheme: &'static str,
        /// Its usual port.
        port: u16,
    },
    /// No absolute path follows the scheme.
    #[error(
        "expected a path that begins with `/` behind `{scheme}://`, such as {scheme}:///run/logweir.sock"
    )]
    Path {
        /// The scheme.
        scheme: &'static str,
    },
}

impl Listen {
    /// The scheme of its URL.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Udp(_) => "udp",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
            Self::UnixStream(_) => "unix",
            Self::UnixDatagram(_) => "unixgram",
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(url: &str) -> Result<Self, ListenError> {
        let (scheme, rest) = url.split_once("://").ok_or(ListenError::Scheme)?;
        let address = |scheme, port| rest.parse().map_err(|_| ListenError::Address { scheme, port });
        let path = |scheme| match rest.strip_prefix('/') {
            Some(name) if !name.is_empty() => Ok(PathBuf::from(rest)),
            _ => Err(ListenError::Path { scheme }),
        };
        match scheme {
            "udp" => Ok(Self::Udp(address("udp", 514)?)),
            "tcp" => Ok(Self::Tcp(address("tcp", 514)?)),
            "tls" => Ok(Self::Tls(address("tls", 6514)?)),
            "unix" => Ok(Self::UnixStream(path("unix")?)),
            "unixgram" => Ok(Self::UnixDatagram(path("unixgram")?)),
            _ => Err(ListenError::Scheme),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) | Self::Tcp(address) | Self::Tls(address) => {
                write!(formatter, "{}://{address}", self.scheme())
            }
            Self::UnixStream(path) | Self::UnixDatagram(path) => {
                write!(formatter, "{}://{}", self.scheme(), path.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for url in [
            "udp://0.0.0.0:514",
            "tcp://[::]:514",
            "tls://127.0.0.1:6514",
            "unix:///run/a.sock",
            "unixgram:///dev/log",
        ] {
            assert_eq!(url.parse::<Listen>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn what_is_no_url_says_what_it_should_be() {
        for (url, expected) in [
            ("0.0.0.0:514", "udp://"),
            ("http://0.0.0.0:514", "udp://"),
            ("udp://0.0.0.0", "udp://0.0.0.0:514"),
            ("tls://localhost:6514", "tls://0.0.0.0:6514"),
            ("unix://run/a.sock", "begins with `/`"),
            ("unixgram:///", "begins with `/`"),
        ] {
            let error = url.parse::<Listen>().unwrap_err().to_string();
            assert!(error.contains(expected), "{url}: {error}");
        }
    }
}
