//! Resharding while all work: new shards come, slots go from shard to shard with their items, shards that are empty then go.
//!
//! Slots go a handful at a time. While they do nothing is lost and nobody is refused; the engines of both shards are busy with their
//! items, and every task that asks the shard where they were is sent on, once for all that has moved.

use std::collections::VecDeque;

use sim_core::observations::{IncidentKind, LogKind};

use super::*;

/// Slots that go together: what is known of their items is looked through for each such group.
const TOGETHER: usize = 32;
/// How soon a move is tried again that a failed primary holds up (assumption).
const TRIED_AGAIN: SimDuration = SimDuration::from_secs(1);

/// Which shard has which slots.
#[derive(Debug)]
pub(super) struct Slots {
    owners: Vec<u16>,
    /// The number of the move that brought each where it is; empty before the first one.
    moved: Vec<u32>,
}

impl Slots {
    /// Spread evenly over so many shards.
    pub(super) fn new(shards: u16) -> Self {
        let owner = |slot: u64| (slot * u64::from(shards) / SLOTS) as u16;
        Self { owners: (0..SLOTS).map(owner).collect(), moved: Vec::new() }
    }

    pub(super) fn of(key: u64) -> usize {
        (mix(key, SLOTS) % SLOTS) as usize
    }

    pub(super) fn owner(&self, slot: usize) -> usize {
        self.owners[slot].into()
    }

    /// The number of the move that brought a slot where it is; none: it was there from the beginning.
    pub(super) fn moved(&self, slot: usize) -> Option<u32> {
        self.moved.get(slot).copied().filter(|&moved| moved > 0)
    }

    fn hand_over(&mut self, slots: &[u16], to: u16, number: u32) {
        self.moved.resize(SLOTS as usize, 0);
        for &slot in slots {
            self.owners[usize::from(slot)] = to;
            self.moved[usize::from(slot)] = number;
        }
    }

    /// What has to go where so that the first so many shards have all of them, evenly, and as few as can be move.
    fn plan(&self, shards: u16) -> VecDeque<Move> {
        let wanted = |shard: u16| match SLOTS as usize {
            all if shard < shards => {
                all / usize::from(shards) + usize::from(usize::from(shard) < all % usize::from(shards))
            }
            _ => 0,
        };
        let most = self.owners.iter().copied().max().unwrap_or_default().max(shards - 1);
        let mut has: Vec<Vec<u16>> = vec![Vec::new(); usize::from(most) + 1];
        self.owners.iter().zip(0..).for_each(|(&owner, slot)| has[usize::from(owner)].push(slot));
        let mut moves = VecDeque::new();
        for to in 0..shards {
            for from in (0..=most).rev() {
                let missing = wanted(to).saturating_sub(has[usize::from(to)].len());
                let its = &mut has[usize::from(from)];
                let spare = its.len().saturating_sub(wanted(from));
                let go = its.split_off(its.len() - spare.min(missing));
                moves.extend(go.chunks(TOGETHER).map(|slots| Move { from, to, slots: slots.to_vec() }));
                has[usize::from(to)].extend(go);
            }
        }
        moves
    }
}

/// Slots that go from one shard to another.
#[derive(Clone, Debug)]
struct Move {
    from: u16,
    to: u16,
    slots: Vec<u16>,
}

/// A resharding under way.
#[derive(Debug)]
pub(super) struct Migration {
    node_groups: u16,
    moves: VecDeque<Move>,
    slots: usize,
}

impl Cache {
    /// A resharding is asked for.
    pub(super) fn reshard(&mut self, node_groups: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let what = format!("ModifyReplicationGroupShardConfiguration: {node_groups} node groups");
        if self.migration.is_some() {
            let refused = format!("{what}: refused, another one is under way");
            return cx.shared.observer.log(now, LogKind::Deployment, &self.name, refused);
        }
        cx.shared.observer.log(now, LogKind::Deployment, &self.name, what);
        cx.begins(IncidentKind::Change, &self.name, "ModifyReplicationGroupShardConfiguration");
        let grows = usize::from(node_groups) > self.shards.iter().filter(|shard| shard.there).count();
        let provisioning = if grows { self.settings.resharding.provisioning } else { SimDuration::ZERO };
        self.migration = Some(Migration { node_groups, moves: VecDeque::new(), slots: 0 });
        cx.kernel.schedule_in(provisioning, self.event(Event::Provisioned));
    }

    /// New shards are there: slots begin to move.
    pub(super) fn provisioned(&mut self, cx: &mut Cx<'_>) {
        let Some(migration) = &mut self.migration else { return };
        migration.moves = self.slots.plan(migration.node_groups);
        migration.slots = migration.moves.iter().map(|it| it.slots.len()).sum();
        let what = format!("{} of {SLOTS} slots move", migration.slots);
        for number in 0..migration.node_groups {
            self.set_there(number, true, cx);
        }
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        self.next_move(cx);
    }

    fn set_there(&mut self, number: u16, there: bool, cx: &mut Cx<'_>) {
        let now = cx.now();
        let shard = &mut self.shards[usize::from(number)];
        if std::mem::replace(&mut shard.there, there) == there {
            return;
        }
        self.nodes.iter_mut().filter(|node| node.shard == number).for_each(|node| node.there = there);
        self.hours.set_nodes(self.nodes.iter().filter(|node| node.there).count(), now);
        let each = usize::from(self.settings.replicas) + 1;
        let first = usize::from(number) * each;
        for node in (first..first + each).filter(|_| !there) {
            self.clients.cut(node, &mut self.nodes);
        }
    }

    /// The next slots begin to move, or all have.
    fn next_move(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(next) = self.migration.as_ref().and_then(|it| it.moves.front().cloned()) else {
            return self.resharded(String::new(), cx);
        };
        let (bytes, _) = self.shards[usize::from(next.from)].data.amount(now, |key| is_of(&next.slots, key));
        let data = &self.shards[usize::from(next.to)].data;
        if data.bytes() + bytes > data.room() {
            // What is there is not dropped for it (EC guide, best-practices-online-resharding).
            let why = format!(": node group {:04} has no memory for more, the rest stay where they are", next.to + 1);
            return self.resharded(why, cx);
        }
        let its = &self.settings.resharding;
        let takes = its.slot.times(next.slots.len() as u64) + SimDuration::from_secs_f64(bytes as f64 / its.rate);
        cx.kernel.schedule_in(takes, self.event(Event::SlotsMoved));
    }

    /// Slots have moved with all their items.
    pub(super) fn slots_moved(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(Move { from, to, slots }) = self.migration.as_ref().and_then(|it| it.moves.front().cloned()) else {
            return;
        };
        let primaries = [from, to].map(|shard| self.shards[usize::from(shard)].primary as usize);
        if !primaries.iter().all(|&node| self.nodes[node].is_up()) {
            return cx.kernel.schedule_in(TRIED_AGAIN, self.event(Event::SlotsMoved));
        }
        let moving = self.shards[usize::from(from)].data.take_out(|key| is_of(&slots, key));
        let items = moving.len() as u64;
        self.shards[usize::from(to)].data.put_in(moving);
        let work = SimDuration::from_secs_f64(self.settings.command_time.mean()).times(items);
        for node in primaries {
            self.nodes[node].engine.take(now, work);
        }
        let number = self.clients.slots_moved();
        self.slots.hand_over(&slots, to, number);
        self.books.add(Count::SlotsMoved, slots.len() as u64);
        self.books.add(Count::ItemsMoved, items);
        self.migration.iter_mut().for_each(|it| drop(it.moves.pop_front()));
        self.next_move(cx);
    }

    /// No more slots move.
    fn resharded(&mut self, how: String, cx: &mut Cx<'_>) {
        let Some(Migration { node_groups, moves, slots }) = self.migration.take() else { return };
        let left: usize = moves.iter().map(|it| it.slots.len()).sum();
        for number in node_groups..self.shards.len() as u16 {
            if (0..SLOTS as usize).all(|slot| self.slots.owner(slot) != usize::from(number)) {
                self.set_there(number, false, cx);
            }
        }
        let what = format!("{} of {slots} slots have moved{how}", slots - left);
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        cx.is_over(IncidentKind::Change, &self.name);
    }

    /// Whether a caller asks the shard where a slot was, and so has to ask again.
    pub(super) fn is_redirected(&mut self, caller: &Caller) -> bool {
        let moved = self.slots.moved(Slots::of(caller.key));
        moved.is_some_and(|moved| self.clients.is_redirected(caller.service, caller.task, moved))
    }
}

fn is_of(slots: &[u16], key: u64) -> bool {
    let slot = Slots::of(key) as u16;
    // A move's slots are few, and in order.
    slots.binary_search(&slot).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(slots: &Slots) -> Vec<usize> {
        let most = usize::from(*slots.owners.iter().max().unwrap());
        (0..=most).map(|shard| slots.owners.iter().filter(|&&owner| usize::from(owner) == shard).count()).collect()
    }

    /// From two shards to three a third of the slots move, all to the new one; back again, the same third.
    #[test]
    fn as_few_slots_move_as_make_shards_even() {
        let mut slots = Slots::new(2);
        for (shards, moves, then) in
            [(3, 5461, vec![5462, 5461, 5461]), (2, 5461, vec![8192, 8192]), (1, 8192, vec![16_384])]
        {
            let plan = slots.plan(shards);
            assert_eq!(plan.iter().map(|it| it.slots.len()).sum::<usize>(), moves, "to {shards}");
            assert!(plan.iter().all(|it| it.slots.len() <= TOGETHER && it.slots.is_sorted() && it.from != it.to));
            for Move { from, to, slots: which } in plan {
                assert!(which.iter().all(|&slot| slots.owners[usize::from(slot)] == from));
                slots.hand_over(&which, to, 1);
            }
            assert_eq!(counts(&slots), then);
        }
    }
}
