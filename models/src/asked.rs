//! What an operation is for, whichever attempt at it this is.
//!
//! An attempt draws what it costs from a stream of its own. Which item it is for is the operation's affair: who tries again to
//! write an item writes that item, and a request that is tried again calls for what it called for before.

use sim_core::math::{mix, unmix};
use sim_core::random::Draws;
use sim_core::slab::Slab;

use crate::request::{Holder, Request, purpose};

/// A generator for a quantity of the operation, the same in each of its attempts.
pub(crate) fn draws(requests: &Slab<Request>, request: &Request, purpose: u64) -> Draws {
    Draws::new(stream(requests, request), purpose)
}

/// Key of the operation's random stream: that of its first attempt, called for by the first attempt at what calls.
///
/// A second attempt at an origin, or one sent beside the first, is not known to be one: it is for something of its own.
fn stream(requests: &Slab<Request>, request: &Request) -> u64 {
    match request.bottom() {
        Holder::Call(_, parent) => match requests.get(parent) {
            Some(parent) => mix(stream(requests, parent), purpose::CALL + u64::from(request.call)),
            None => request.stream,
        },
        _ => (1..request.attempt).rev().fold(request.stream, |later, attempt| unmix(later, u64::from(attempt))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ComputeId, TrafficId};
    use crate::request::Hop;
    use sim_core::SimTime;

    fn request(stream: u64, holder: Holder, attempt: u16) -> Request {
        let mut request = Request::new(stream, SimTime::ZERO, holder, Hop::NONE);
        request.attempt = attempt;
        request
    }

    #[test]
    fn every_attempt_is_for_what_the_first_is_for() {
        let client = Holder::Client(TrafficId(0));
        let streams = [77, mix(77, 1), mix(mix(77, 1), 2), mix(mix(mix(77, 1), 2), 3)];
        let mut requests = Slab::new();
        for (attempt, made) in (1..).zip(streams) {
            let operation = request(made, client, attempt);
            assert_eq!(stream(&requests, &operation), 77);
            let parent = requests.insert(operation);
            let calls = Holder::Call(ComputeId(0), parent);
            let number = 3;
            let first = mix(made, purpose::CALL + number);
            for (again, made) in [(1, first), (2, mix(first, 1))] {
                let mut call = request(made, calls, again);
                call.call = number as u16;
                assert_eq!(stream(&requests, &call), mix(77, purpose::CALL + number), "{attempt}, {again}");
            }
            requests.remove(parent);
        }
    }
}
