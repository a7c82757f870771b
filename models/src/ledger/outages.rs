//! Who was down when, by their own word or that of a probe.

use sim_core::SimTime;
use sim_core::observations::{Outage, Witness};

/// Outages kept.
const OUTAGES_MOST: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outages {
    /// Who tells, in order of first word, and since when it is down.
    watched: Vec<(Witness, String, Option<SimTime>)>,
    over: Vec<Outage>,
}

impl Outages {
    pub(super) fn watch(&mut self, witness: Witness, who: &str) -> usize {
        let known = self.watched.iter().position(|it| it.0 == witness && it.1 == who);
        known.unwrap_or_else(|| {
            self.watched.push((witness, who.to_owned(), None));
            self.watched.len() - 1
        })
    }

    pub(super) fn set(&mut self, witness: Witness, who: &str, down: bool, now: SimTime) {
        let at = self.watch(witness, who);
        let since = &mut self.watched[at].2;
        match (down, *since) {
            (true, None) => *since = Some(now),
            (false, Some(from)) => {
                *since = None;
                if from < now && self.over.len() < OUTAGES_MOST {
                    self.over.push(Outage { witness, who: who.to_owned(), from, until: now });
                }
            }
            _ => {}
        }
    }

    /// All of them that were not over before the warm-up was, and who could have had any.
    pub(super) fn finish(mut self, now: SimTime, warm_up: SimTime) -> (Vec<Outage>, Vec<(Witness, String)>) {
        for (witness, who, since) in &self.watched {
            if let Some(from) = since.filter(|&from| from < now) {
                self.over.push(Outage { witness: *witness, who: who.clone(), from, until: now });
            }
        }
        self.over.retain(|outage| outage.until > warm_up);
        self.over.iter_mut().for_each(|outage| outage.from = outage.from.max(warm_up));
        self.over.sort_by(|a, b| (a.witness, &a.who, a.from).cmp(&(b.witness, &b.who, b.from)));
        let mut watched: Vec<_> = self.watched.into_iter().map(|(witness, who, _)| (witness, who)).collect();
        watched.sort();
        (self.over, watched)
    }
}
