//! Networks of IP addresses (CIDR, RFC 4632).
//!
//! Owns: [`Network`] and the addresses that texts are.
//! Promises: an IPv4 address that stands as IPv6 (`::ffff:10.0.0.1`) is that IPv4 address; no address of one
//! family is in a network of the other.
//! Never: asks for a name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::text::Text;

/// Longest text of an address, in bytes: `::ffff:255.255.255.255` with all groups written out.
const TEXT_BYTES_MAX: usize = 45;

/// An address: its family and its bits, those of IPv4 at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    v6: bool,
    bits: u128,
}

impl Address {
    /// The address that a text is.
    pub(super) fn from_text(text: Text<'_>) -> Option<Self> {
        let bytes = text.plain().filter(|bytes| bytes.len() <= TEXT_BYTES_MAX)?;
        Some(std::str::from_utf8(bytes).ok()?.parse::<IpAddr>().ok()?.into())
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self { v6: false, bits: u128::from(u32::from(address)) << 96 },
            IpAddr::V6(address) => Self { v6: true, bits: address.into() },
        }
    }
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// No address, or no prefix length of its family.
    #[error("`{0}` is no network")]
    Malformed(String),
    /// Bits after the prefix are set.
    #[error("`{given}` names a host, its network is `{network}`")]
    HostBits {
        /// What was given.
        given: String,
        /// The network that the host is in.
        network: String,
    },
}

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: Address,
    prefix: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { v6, bits } = self.first;
        match u32::try_from(bits >> 96) {
            Ok(bits) if !v6 => write!(formatter, "{}/{}", Ipv4Addr::from(bits), self.prefix),
            _ => write!(formatter, "{}/{}", Ipv6Addr::from(bits), self.prefix),
        }
    }
}

impl Network {
    /// The network of `ADDRESS/PREFIX`; an address alone is a network of one.
    ///
    /// # Errors
    /// It is malformed, or bits after the prefix are set.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let malformed = || NetworkError::Malformed(text.to_owned());
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().map_err(|_| malformed())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= width).ok_or_else(malformed)?
            }
            Some(_) => return Err(malformed()),
        };
        let (given, mapped) = (Address::from(address), address.is_ipv6() && address.to_canonical().is_ipv4());
        if mapped && prefix < 96 {
            return Err(malformed());
        }
        let network = given.network(if mapped { prefix - 96 } else { prefix });
        if network.first == given {
            return Ok(network);
        }
        let first = match address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(network.first.bits >> 96).unwrap_or_default().into()),
            IpAddr::V6(_) if mapped => IpAddr::V6((0xffff << 32 | network.first.bits >> 96).into()),
            IpAddr::V6(_) => IpAddr::V6(network.first.bits.into()),
        };
        Err(NetworkError::HostBits { given: text.to_owned(), network: format!("{first}/{prefix}") })
    }

    /// Whether the address is in the network.
    #[inline]
    pub(super) fn contains(&self, address: Address) -> bool {
        address.network(self.prefix) == *self
    }

    /// The length of the prefix, in bits.
    pub(super) fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl Address {
    /// The network of this prefix length that the address is in.
    #[inline]
    pub(super) fn network(self, prefix: u8) -> Network {
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        Network { first: Self { bits: self.bits & mask, ..self }, prefix }
    }
}
