//! What AWS publishes about Amazon Chime SDK Voice Connector: regions and address ranges.
//!
//! Peers are recognised by these ranges, never by a name looked up once: the addresses behind a
//! connector's name rotate within minutes.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::net::IpNet;

/// Domain under which every connector's host name lies.
pub const DOMAIN: &str = "voiceconnector.chime.aws";

/// AWS regions that offer Voice Connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Region {
    UsEast1,
    UsWest2,
    CaCentral1,
    EuWest1,
    EuCentral1,
    EuWest2,
    ApNortheast2,
    ApNortheast1,
    ApSoutheast1,
    ApSoutheast2,
}

/// All regions, each with its published IPv4 and IPv6 range. Signalling and media share them.
const TABLE: [(Region, &str, [IpNet; 2]); 10] = [
    (Region::UsEast1, "us-east-1", [IpNet::v4([3, 80, 16, 0], 23), published_v6(0xc040)]),
    (Region::UsWest2, "us-west-2", [IpNet::v4([99, 77, 253, 0], 24), published_v6(0xc041)]),
    (Region::CaCentral1, "ca-central-1", [IpNet::v4([99, 77, 233, 0], 24), published_v6(0xc042)]),
    (Region::EuWest1, "eu-west-1", [IpNet::v4([99, 77, 250, 0], 24), published_v6(0xc043)]),
    (Region::EuCentral1, "eu-central-1", [IpNet::v4([99, 77, 247, 0], 24), published_v6(0xc044)]),
    (Region::EuWest2, "eu-west-2", [IpNet::v4([99, 77, 249, 0], 24), published_v6(0xc045)]),
    (
        Region::ApNortheast2,
        "ap-northeast-2",
        [IpNet::v4([99, 77, 242, 0], 24), published_v6(0xc046)],
    ),
    (
        Region::ApNortheast1,
        "ap-northeast-1",
        [IpNet::v4([99, 77, 244, 0], 24), published_v6(0xc047)],
    ),
    (
        Region::ApSoutheast1,
        "ap-southeast-1",
        [IpNet::v4([99, 77, 240, 0], 24), published_v6(0xc048)],
    ),
    (
        Region::ApSoutheast2,
        "ap-southeast-2",
        [IpNet::v4([99, 77, 239, 0], 24), published_v6(0xc049)],
    ),
];

const fn published_v6(third: u16) -> IpNet {
    IpNet::v6([0x2600, 0xf0f0, third, 0, 0, 0, 0, 0], 48)
}

impl Region {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(region, ..)| *region)
    }

    /// As AWS writes it: `us-east-1`.
    pub fn as_str(self) -> &'static str {
        TABLE.iter().find(|(region, ..)| *region == self).map_or("", |(_, name, _)| name)
    }

    /// Published ranges that signalling comes from.
    pub fn ranges(self) -> &'static [IpNet] {
        TABLE.iter().find(|(region, ..)| *region == self).map_or(&[], |(.., nets)| nets)
    }

    /// Whether signalling from an address is this region's.
    pub fn contains(self, address: IpAddr) -> bool {
        self.ranges().iter().any(|net| net.contains(address))
    }
}

/// Published ranges of a region.
pub fn ranges(region: Region) -> &'static [IpNet] {
    region.ranges()
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Region {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TABLE
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(region, ..)| *region)
            .ok_or("is no region that offers Voice Connector")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_an_ipv4_and_an_ipv6_range_and_none_overlap() {
        assert_eq!(Region::all().count(), 10);
        for region in Region::all() {
            assert_eq!(region.as_str().parse(), Ok(region));
            let [v4, v6] = region.ranges() else { panic!("{region}") };
            assert!(v4.address().is_ipv4() && v6.address().is_ipv6());
            for net in region.ranges() {
                let owners = Region::all().filter(|r| r.contains(net.address())).count();
                assert_eq!(owners, 1, "{net}");
            }
        }
    }

    #[test]
    fn the_addresses_seen_in_the_field_are_recognised() {
        for ip in ["3.80.16.13", "3.80.17.200"] {
            assert!(Region::UsEast1.contains(ip.parse().unwrap()));
            assert!(!Region::UsWest2.contains(ip.parse().unwrap()));
        }
    }
}
