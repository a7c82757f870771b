//! Service discovery: who a direct caller sends its request to.
//!
//! Without a TTL callers know at any time who is there (as with Service Connect). With one they ask Cloud Map's private zone, and
//! keep its answer that long: up to eight addresses of healthy tasks (Cloud Map, multivalue answer routing), which they take in turn.
//! A task that has gone since is asked in vain until then, and a new one is not asked.

use std::collections::BTreeMap;

use super::*;

/// Most addresses of an answer.
const ANSWERS: usize = 8;

/// What one caller knows.
#[derive(Debug)]
struct Answer {
    until: SimTime,
    tasks: Vec<TaskKey>,
    turn: usize,
}

/// What callers know.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    /// By caller.
    answers: BTreeMap<(ComputeId, u32), Answer>,
    /// Where the next answer begins.
    next: usize,
}

impl Ecs {
    /// The task that a direct caller asks: one that answers, or one that it remembers.
    #[inline(never)]
    pub(super) fn discover(&mut self, key: RequestKey, cx: &mut Cx<'_>) -> Option<TaskKey> {
        let caller = match cx.request(key).bottom() {
            Holder::Call(service, _) => Some((service, cx.request(key).client)),
            _ => None,
        };
        match (self.settings.discovery_ttl, caller) {
            (Some(ttl), Some(caller)) => self.remembered(caller, ttl, cx.now()),
            _ => self.next_in_turn(),
        }
    }

    fn remembered(&mut self, caller: (ComputeId, u32), ttl: SimDuration, now: SimTime) -> Option<TaskKey> {
        let fresh = self.discovery.answers.get(&caller).is_some_and(|answer| now < answer.until);
        if !fresh {
            let tasks = self.resolve();
            self.discovery.answers.insert(caller, Answer { until: now + ttl, tasks, turn: 0 });
        }
        let answer = self.discovery.answers.get_mut(&caller)?;
        let task = answer.tasks.get(answer.turn).copied();
        answer.turn = (answer.turn + 1) % answer.tasks.len().max(1);
        task
    }

    /// An answer of Cloud Map: up to eight tasks that answer, each answer beginning one further.
    fn resolve(&mut self) -> Vec<TaskKey> {
        let up: Vec<TaskKey> = self.order.iter().copied().filter(|&task| self.tasks[task].state == State::Up).collect();
        self.discovery.next += 1;
        (0..up.len().min(ANSWERS)).map(|n| up[(self.discovery.next + n) % up.len()]).collect()
    }
}
