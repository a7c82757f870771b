//! What is remembered of each client: cookies, connections, flows.

use crate::ids::*;
use crate::request::Request;

/// A value for each client of each source of traffic; the default until it is written. Grows with the clients that were seen.
#[derive(Debug, Default)]
pub(super) struct PerClient<T>(Vec<Vec<T>>);

impl<T: Copy + Default> PerClient<T> {
    /// The value of the client that sent a request.
    #[inline]
    pub(super) fn of(&mut self, request: &Request) -> &mut T {
        self.at(request.traffic, request.client)
    }

    #[inline]
    fn at(&mut self, traffic: TrafficId, client: u32) -> &mut T {
        let (traffic, client) = (traffic.index(), client as usize);
        if self.0.get(traffic).is_none_or(|table| table.len() <= client) {
            self.grow(traffic, client);
        }
        &mut self.0[traffic][client]
    }

    #[cold]
    fn grow(&mut self, traffic: usize, client: usize) {
        if self.0.len() <= traffic {
            self.0.resize_with(traffic + 1, Vec::new);
        }
        let table = &mut self.0[traffic];
        // Doubling, as vectors do by themselves, but for the values too: clients come in no order.
        table.resize((client + 1).max(2 * table.len()).max(16), T::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_values_of_their_own() {
        let mut values: PerClient<u32> = PerClient::default();
        for (traffic, client) in [(2, 40), (0, 3), (2, 7), (2, 1000)] {
            let value = values.at(TrafficId(traffic), client);
            assert_eq!(*value, 0);
            *value = client + 1;
        }
        assert_eq!([40, 7, 1000, 41].map(|client| *values.at(TrafficId(2), client)), [41, 8, 1001, 0]);
        assert_eq!(*values.at(TrafficId(0), 3), 4);
    }
}
