//! Address ranges and port ranges as an operator writes them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A range of addresses in CIDR notation, IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNet {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not an address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpNetError {
    /// Neither an IPv4 nor an IPv6 address.
    #[error("not an IP address or range")]
    Address,
    /// The number after the slash is none, or too large.
    #[error("the prefix length must be a number from 0 to {max}")]
    Prefix {
        /// 32 or 128.
        max: u8,
    },
    /// Bits after the prefix are set: probably a slip of the pen.
    #[error("bits after the prefix are set; the range begins at {network}")]
    HostBits {
        /// What was probably meant.
        network: IpNet,
    },
}

impl IpNet {
    /// A range of IPv4 addresses; bits after the prefix are cleared, a prefix over 32 counts as 32.
    pub const fn v4(address: [u8; 4], prefix: u8) -> Self {
        let prefix = if prefix > 32 { 32 } else { prefix };
        let mask = if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) };
        let bits = u32::from_be_bytes(address) & mask;
        Self { address: IpAddr::V4(Ipv4Addr::from_bits(bits)), prefix }
    }

    /// A range of IPv6 addresses; bits after the prefix are cleared, a prefix over 128 counts as 128.
    pub const fn v6(segments: [u16; 8], prefix: u8) -> Self {
        let [a, b, c, d, e, f, g, h] = segments;
        let prefix = if prefix > 128 { 128 } else { prefix };
        let mask = if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) };
        let bits = Ipv6Addr::new(a, b, c, d, e, f, g, h).to_bits() & mask;
        Self { address: IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix }
    }

    /// The range that holds one address only.
    pub const fn host(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }

    /// First address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Number of leading bits that count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether an address lies in the range. An IPv4 address that a dual-stack socket shows as
    /// `::ffff:a.b.c.d` counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(self.prefix);
                (net.to_bits() ^ ip.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let shift = 128 - u32::from(self.prefix);
                (net.to_bits() ^ ip.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for IpNet {
    type Err = IpNetError;

    fn from_str(text: &str) -> Result<Self, IpNetError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| IpNetError::Address)?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => max,
            Some(text) => match text.trim().parse::<u8>() {
                Ok(prefix) if prefix <= max => prefix,
                _ => return Err(IpNetError::Prefix { max }),
            },
        };
        let network = match address {
            IpAddr::V4(ip) => Self::v4(ip.octets(), prefix),
            IpAddr::V6(ip) => Self::v6(ip.segments(), prefix),
        };
        if network.address != address {
            return Err(IpNetError::HostBits { network });
        }
        Ok(network)
    }
}

/// UDP ports for media, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
}

impl PortRange {
    /// As a range.
    pub fn range(&self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    /// Whether a port lies in it.
    pub fn contains(&self, port: u16) -> bool {
        self.range().contains(&port)
    }

    /// How many RTP/RTCP pairs (even port and the next) fit in.
    pub fn pairs(&self) -> usize {
        let first = u32::from(self.first).next_multiple_of(2);
        let end = u32::from(self.last) + 1;
        (end.saturating_sub(first) / 2) as usize
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "must look like \"10000-29999\"";
        let (first, last) = text.split_once('-').ok_or(SHAPE)?;
        let first: u16 = first.trim().parse().map_err(|_| SHAPE)?;
        let last: u16 = last.trim().parse().map_err(|_| SHAPE)?;
        if first > last {
            return Err("the first port is above the last");
        }
        if first < 1024 {
            return Err("ports below 1024 belong to the system");
        }
        let range = Self { first, last };
        if range.pairs() == 0 {
            return Err("no even port with its odd neighbour fits in");
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_first_and_last_address_and_no_other() {
        for (net, inside, outside) in [
            ("3.80.16.0/23", ["3.80.16.0", "3.80.17.255"], ["3.80.15.255", "3.80.18.0"]),
            ("10.0.0.1", ["10.0.0.1", "::ffff:10.0.0.1"], ["10.0.0.2", "10.0.0.0"]),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1", "::"]),
            (
                "2600:f0f0:c040::/48",
                ["2600:f0f0:c040::", "2600:f0f0:c040:ffff:ffff:ffff:ffff:ffff"],
                ["2600:f0f0:c041::", "3.80.16.1"],
            ),
            ("::/0", ["::", "ffff::"], ["1.2.3.4", "::ffff:1.2.3.4"]),
        ] {
            let net: IpNet = net.parse().unwrap();
            for ip in inside {
                assert!(net.contains(ip.parse().unwrap()), "{ip} in {net}");
            }
            for ip in outside {
                assert!(!net.contains(ip.parse().unwrap()), "{ip} not in {net}");
            }
        }
    }

    #[test]
    fn a_bad_range_says_why() {
        assert_eq!("10.0.0".parse::<IpNet>(), Err(IpNetError::Address));
        assert_eq!("10.0.0.0/33".parse::<IpNet>(), Err(IpNetError::Prefix { max: 32 }));
        let error = "10.1.2.3/8".parse::<IpNet>().unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
    }

    #[test]
    fn port_pairs_are_counted_from_the_first_even_port() {
        for (text, pairs) in [("10000-10001", 1), ("10001-10004", 1), ("10001-10005", 2)] {
            assert_eq!(text.parse::<PortRange>().unwrap().pairs(), pairs, "{text}");
        }
        for bad in ["10000", "9-8", "80-90", "20000-10000", "10001-10001", "1-70000"] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
        assert_eq!("65534-65535".parse::<PortRange>().unwrap().pairs(), 1);
    }
}
