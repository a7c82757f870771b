//! What a task does that looks into the cache before it asks the store.

use super::*;

impl Prepared {
    pub(super) fn new(it: &Use, cx: &mut Cx<'_>) -> Self {
        let half = |time: SimDuration| SimDuration::from_nanos(time.as_nanos() / 2);
        let one_way = half(it.rtt);
        let to_store = match it.what {
            What::LookAside { rtt, .. } => half(rtt),
            What::Command(_) => SimDuration::ZERO,
        };
        Self {
            item: it.item,
            what: it.what.clone(),
            hop: cx.hop(one_way),
            one_way,
            to_store: cx.hop(to_store),
            nil_to_store: cx.hop(one_way + to_store),
        }
    }
}

impl Cache {
    /// Nothing was found: the task asks the store, or waits for who does already.
    pub(super) fn missed(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let number = cx.request(key).operation;
        let item = self.uses[number as usize].item;
        let Some(caller) = self.caller(key, item, cx) else {
            return cx.fail(key, 0, Cause::ConnectionLost);
        };
        let of_task =
            mix(u64::from(caller.service.0) << 32 | u64::from(caller.task.slot()), caller.task.generation().into());
        let flight = match self.settings.items[item as usize].collapsing {
            Collapsing::None => None,
            Collapsing::Process => Some(mix(caller.key, of_task)),
            Collapsing::Lock => Some(caller.key),
        };
        if let Some(flight) = flight {
            if self.flights.wait(flight, key, &mut cx.shared.requests) {
                return self.books.add(Count::Collapsed, 1);
            }
            self.flights.open(flight);
        }
        self.fetch(key, Trip { number, fills: true, flight }, Place::Node, cx);
    }

    /// The task asks the store.
    pub(super) fn fetch(&mut self, key: RequestKey, trip: Trip, place: Place, cx: &mut Cx<'_>) {
        let Prepared { ref what, to_store, nil_to_store, .. } = self.uses[trip.number as usize];
        let &What::LookAside { store, operation, .. } = what else { unreachable!("only who looks aside has a store") };
        self.books.add(Count::Fetches, 1);
        let task = task_of(key, cx).expect("a task asks as long as it is there");
        let holder = Holder::ElastiCache(self.id, self.trips.insert(trip));
        let request = cx.request(key);
        request.push(holder, to_store);
        (request.operation, request.step, request.next) = (operation, 0, Key::NONE);
        // A database's pools belong to tasks; others are not told which of theirs is to serve.
        request.target = if matches!(store, Endpoint::Aurora(_)) { task } else { TaskKey::NONE };
        let hop = if place == Place::Node { nil_to_store } else { to_store };
        cx.offer(store, key, hop);
    }

    /// The store has answered, and the answer is at the task.
    #[inline(never)]
    pub fn on_reply(&mut self, key: RequestKey, trip: Key, cx: &mut Cx<'_>) {
        let Trip { number, fills, flight } = *self.trips.remove(trip).expect("a trip ends once");
        let request = cx.request(key);
        let outcome = request.outcome;
        (request.operation, request.target, request.step) = (number, TaskKey::NONE, 0);
        if let Some(flight) = flight {
            self.land(flight, number, outcome, cx);
        }
        let Prepared { item, hop, .. } = self.uses[number as usize];
        if fills && outcome.is_ok() && self.caller(key, item, cx).is_some() {
            let request = cx.request(key);
            request.step = state::FILLS;
            cx.offer(Endpoint::ElastiCache(self.id), key, hop);
        } else {
            self.answer_at_task(key, outcome, cx);
        }
    }

    /// Those who waited for the same item have it too. If the store failed, with a lock the next of them asks it whose task
    /// is still there.
    fn land(&mut self, flight: u64, number: u16, outcome: Outcome, cx: &mut Cx<'_>) {
        let item = self.uses[number as usize].item;
        let tries_again = !outcome.is_ok() && self.settings.items[item as usize].collapsing == Collapsing::Lock;
        let mut next = self.flights.close(flight).unwrap_or(RequestKey::NONE);
        let mut asks = false;
        while next != RequestKey::NONE {
            let waiting = next;
            next = cx.request(waiting).next;
            if asks {
                self.flights.wait(flight, waiting, &mut cx.shared.requests);
            } else if tries_again && task_of(waiting, cx).is_some() {
                asks = true;
                self.flights.open(flight);
                let number = cx.request(waiting).operation;
                self.fetch(waiting, Trip { number, fills: true, flight: Some(flight) }, Place::Task, cx);
            } else {
                self.answer_at_task(waiting, outcome, cx);
            }
        }
    }

    /// The cache does not do what it was asked.
    pub(super) fn failed(&mut self, key: RequestKey, cause: Cause, place: Place, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let number = request.operation;
        let Prepared { item, ref what, .. } = self.uses[number as usize];
        self.books.add(if cause == Cause::CallTimeout { Count::TimedOut } else { Count::Refused }, 1);
        let looks_aside = matches!(what, What::LookAside { .. });
        if request.step & state::FILLS != 0 {
            // The caller has what it wanted, cached or not.
            return self.answer(key, Outcome::OK, place, cx);
        }
        if looks_aside && self.settings.items[item as usize].falls_through && task_of(key, cx).is_some() {
            self.books.add(Count::FellThrough, 1);
            return self.fetch(key, Trip { number, fills: false, flight: None }, place, cx);
        }
        self.books.add(Count::Failed, 1);
        self.answer(key, Outcome::failed(0, cause), place, cx);
    }

    fn answer(&self, key: RequestKey, outcome: Outcome, place: Place, cx: &mut Cx<'_>) {
        match place {
            Place::Node => cx.reply(key, outcome),
            Place::Task => self.answer_at_task(key, outcome, cx),
        }
    }

    /// Answers a call where it was made.
    fn answer_at_task(&self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        cx.request(key).set_bottom_hop(Hop::NONE);
        cx.reply(key, outcome);
    }
}

/// The task that made a call, as long as it waits for something.
fn task_of(key: RequestKey, cx: &Cx<'_>) -> Option<TaskKey> {
    let Holder::Call(_, parent) = cx.shared.requests[key].bottom() else { return None };
    cx.shared.requests.get(parent).map(|parent| parent.target)
}
