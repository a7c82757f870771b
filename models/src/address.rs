//! Where a request comes from, as rules of load balancers and web ACLs see it.

use crate::ids::*;
use crate::request::*;

/// A block of IPv4 addresses, as CIDR writes it: `203.0.113.0/24`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// The first address.
    pub first: u32,
    /// How many leading bits all of them share, 0..=32.
    pub prefix: u8,
}

impl Block {
    /// How many addresses there are.
    #[must_use]
    pub fn size(self) -> u64 {
        1 << (32 - self.prefix.min(32))
    }
    /// Whether an address is one of them.
    #[must_use]
    pub fn contains(self, address: u32) -> bool {
        u64::from(address ^ self.first) < self.size()
    }
    /// The address of client number `client`: in turn, so that more clients than addresses share them, as behind NAT.
    #[must_use]
    pub fn address_of(self, client: u32) -> u32 {
        self.first | (u64::from(client) % self.size()) as u32
    }
}

/// Who sent a request, as the other end of the connection sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// A client with an address.
    Address(u32),
    /// A client of a source whose addresses are not given: apart from all others, in no block.
    Client(TrafficId, u32),
    /// An edge location, whoever is behind it.
    Edge(CloudFrontId, u16),
    /// A task that calls.
    Task(ComputeId, u32),
    /// A health checker.
    Checker(u16),
}

impl Source {
    /// A number of its own, for keying draws and tables.
    #[must_use]
    pub fn key(self) -> u64 {
        let tagged = |tag: u64, high: u16, low: u32| tag << 56 | u64::from(high) << 32 | u64::from(low);
        match self {
            Self::Address(address) => tagged(1, 0, address),
            Self::Client(traffic, client) => tagged(2, traffic.0, client),
            Self::Edge(distribution, edge) => tagged(3, distribution.0, edge.into()),
            Self::Task(service, slot) => tagged(4, service.0, slot),
            Self::Checker(checker) => tagged(5, checker, 0),
        }
    }
}

/// The addresses of the clients of each source of traffic.
#[derive(Clone, Debug, Default)]
pub struct Addresses(Vec<Option<Block>>);

impl Addresses {
    /// By [`TrafficId`].
    #[must_use]
    pub fn new(blocks: Vec<Option<Block>>) -> Self {
        Self(blocks)
    }

    /// Who is at the other end of the connection a request came on.
    #[must_use]
    pub fn peer(&self, request: &Request) -> Source {
        match request.top().holder {
            Holder::Cache(distribution, cache, _) => Source::Edge(distribution, cache),
            _ => self.sender(request),
        }
    }

    /// Who sent a request in the first place, whoever passed it on: what `X-Forwarded-For` says.
    #[must_use]
    pub fn sender(&self, request: &Request) -> Source {
        match request.bottom() {
            Holder::Call(service, _) => Source::Task(service, request.client),
            Holder::RouteProbe(_, checker) => Source::Checker(checker),
            _ => match self.0.get(request.traffic.index()).copied().flatten() {
                Some(block) => Source::Address(block.address_of(request.client)),
                None => Source::Client(request.traffic, request.client),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_addresses_and_shares_them_among_more_clients() {
        let block = Block { first: 0xCB00_7100, prefix: 24 };
        assert_eq!(block.size(), 256);
        assert!(block.contains(0xCB00_71FF) && !block.contains(0xCB00_7200) && !block.contains(0xCB00_70FF));
        assert_eq!((block.address_of(3), block.address_of(259)), (0xCB00_7103, 0xCB00_7103));
        let all = Block { first: 0, prefix: 0 };
        assert!(all.contains(u32::MAX) && all.address_of(u32::MAX) == u32::MAX);
        let one = Block { first: 7, prefix: 32 };
        assert_eq!((one.address_of(9), one.contains(8)), (7, false));
    }

    #[test]
    fn behind_a_distribution_the_peer_is_the_edge() {
        let addresses = Addresses::new(vec![None, Some(Block { first: 256, prefix: 24 })]);
        let mut request = Request::new(1, sim_core::SimTime::ZERO, Holder::Client(TrafficId(1)), Hop::NONE);
        (request.traffic, request.client) = (TrafficId(1), 5);
        assert_eq!(addresses.peer(&request), Source::Address(261));
        request.push(Holder::Cache(CloudFrontId(0), 2, Trip::default()), Hop::NONE);
        assert_eq!(addresses.peer(&request), Source::Edge(CloudFrontId(0), 2));
        assert_eq!(addresses.sender(&request), Source::Address(261));
        request.traffic = TrafficId(0);
        assert_eq!(addresses.sender(&request), Source::Client(TrafficId(0), 5));
    }
}
