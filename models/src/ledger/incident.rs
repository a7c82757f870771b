//! One incident: its components' phases, its own, and what it lost in each.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::observations::{self, IncidentKind, Phase, PhaseSpan};
use sim_core::{SimDuration, SimTime};

use super::service::{Baseline, Service};
use super::{Counts, Lot};

/// Users are served as before after so many seconds in a row in which they are (assumption).
const SETTLED_AFTER: u64 = 10;
/// The same of a fault that nobody has noticed (assumption).
const UNNOTICED_AFTER: u64 = 120;
/// What lasts longer than this after all has been done is no warm-up any more: users are not served as before, and that is in no
/// phase (assumption).
const SETTLING_MOST: SimDuration = SimDuration::from_secs(600);
/// What an incident lost so long before another one began it is taken to lose still (assumption).
const STILL: SimDuration = SimDuration::from_secs(10);
/// Changes of phase kept of an incident, and of each of its components.
const CHANGES_MOST: usize = 2000;

/// What a component tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A phase begins at it.
    Phase(Phase),
    /// It has done what it can.
    Settling,
    /// The same, and whatever is done elsewhere users do not wait for: they are led away from it.
    LedAway,
}

impl Mark {
    const fn phase(self) -> Phase {
        match self {
            Self::Phase(phase) => phase,
            Self::Settling | Self::LedAway => Phase::WarmUp,
        }
    }
}

fn add(to: &mut Counts, counts: Counts) {
    for (lot, count) in counts {
        *to.entry(lot).or_default() += count;
    }
}

#[derive(Debug)]
struct Part {
    name: String,
    marks: Vec<(SimTime, Mark)>,
}

impl Part {
    /// Since when it has been at work without having done what it could.
    fn works_since(&self) -> Option<SimTime> {
        let at_work = self.marks.iter().rev().take_while(|(_, mark)| matches!(mark, Mark::Phase(_)));
        at_work.last().map(|(at, _)| *at)
    }
}

/// A stretch of an incident, up to the next one.
#[derive(Clone, Copy, Debug)]
struct Segment {
    from: SimTime,
    phase: Option<Phase>,
    /// Nothing more is done: it is over when users are served as before.
    settles: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) kind: IncidentKind,
    pub(super) subject: String,
    what: String,
    pub(super) begins: SimTime,
    pub(super) ends: Option<SimTime>,
    /// Whether users were served as before when it ended.
    as_before: bool,
    /// When its cause was over.
    over: Option<SimTime>,
    parts: Vec<Part>,
    segments: Vec<Segment>,
    pub(super) lost: BTreeMap<Option<Phase>, Counts>,
    /// Lost in a stretch that settles, by its number and the second they started in: how long it lasts is not known yet.
    pending: BTreeMap<(usize, u64), Counts>,
    /// When the last operation of a route started that it lost for a cause.
    latest: BTreeMap<Lot, SimTime>,
    /// What incidents that began earlier lost just before it did, by their places.
    elders: BTreeSet<(usize, Lot)>,
    /// How users were served before.
    baseline: Option<Baseline>,
    /// The stretch that settles, and since which second users have been served as before.
    good: (usize, Option<u64>),
}

impl Incident {
    pub(super) fn new(kind: IncidentKind, subject: &str, what: &str, begins: SimTime) -> Self {
        // A fault is there before anyone knows; of what is planned there is nothing to find out.
        let phase = (kind == IncidentKind::Fault).then_some(Phase::Detection);
        Self {
            kind,
            subject: subject.to_owned(),
            what: what.to_owned(),
            begins,
            ends: None,
            as_before: false,
            over: None,
            parts: Vec::new(),
            segments: vec![Segment { from: begins, phase, settles: false }],
            lost: BTreeMap::new(),
            pending: BTreeMap::new(),
            latest: BTreeMap::new(),
            elders: BTreeSet::new(),
            baseline: None,
            good: (0, None),
        }
    }

    // ------------------------------------------------------------ what is told of it

    pub(super) fn cause_lasts(&self) -> bool {
        self.over.is_none() && self.ends.is_none()
    }

    /// Whether it is not known to be over.
    pub(super) fn goes_on(&self) -> bool {
        self.ends.is_none()
    }

    pub(super) fn has_part(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.name == name)
    }

    /// Whether a component of it is at work.
    pub(super) fn works(&self, name: &str) -> bool {
        let its = self.parts.iter().find(|part| part.name == name);
        its.is_some_and(|part| part.marks.last().is_some_and(|(_, mark)| matches!(mark, Mark::Phase(_))))
    }

    /// Whether all that could be done was done so long ago.
    pub(super) fn is_quiet_since(&self, now: SimTime, long: SimDuration) -> bool {
        let last = self.segments[self.segments.len() - 1];
        last.settles && now.since(last.from) > long
    }

    pub(super) fn mark(&mut self, component: &str, mark: Mark, now: SimTime) {
        let place = self.parts.iter().position(|part| part.name == component).unwrap_or_else(|| {
            self.parts.push(Part { name: component.to_owned(), marks: Vec::new() });
            self.parts.len() - 1
        });
        let marks = &mut self.parts[place].marks;
        if marks.last().is_none_or(|&(_, last)| last != mark) && marks.len() < CHANGES_MOST {
            marks.push((now, mark));
            self.review(now);
        }
    }

    /// What brought it about is over: what it needed nobody to notice is repaired, and users come back.
    pub(super) fn cause_over(&mut self, now: SimTime) {
        self.over = Some(now);
        self.review(now);
    }

    /// Which phase it is in from now on.
    fn review(&mut self, now: SimTime) {
        let present = self.parts.iter().filter_map(|part| part.marks.last());
        let led_away = present.clone().filter(|(_, mark)| *mark == Mark::LedAway).map(|(at, _)| *at).max();
        // What was begun before users were led away they do not wait for, however far it gets.
        let matters =
            |part: &&Part| part.works_since().is_some_and(|since| led_away.is_none_or(|led_away| since > led_away));
        let works = self.parts.iter().filter(matters).filter_map(|part| part.marks.last());
        let (suspects, works): (Vec<_>, Vec<_>) = works.partition(|(_, mark)| *mark == Mark::Phase(Phase::Detection));
        let noticed = present.clone().any(|(_, mark)| *mark != Mark::Phase(Phase::Detection));
        // What takes no time leaves its damage; what has ended by itself does no more.
        let lasts = self.over.is_none_or(|over| over == self.begins);
        let undetected = self.kind == IncidentKind::Fault && lasts && !noticed;
        let last = |marks: &[&(SimTime, Mark)]| marks.iter().max_by_key(|(at, _)| *at).map(|(_, mark)| mark.phase());
        // While somebody who leads requests has not made up their mind yet, these go to what is broken, whatever is done about it.
        let at_work = last(&suspects).or_else(|| last(&works));
        let settling = self.over.is_some() || present.clone().any(|(_, mark)| mark.phase() == Phase::WarmUp);
        let next = match at_work {
            Some(phase) => Segment { from: now, phase: Some(phase), settles: false },
            None if undetected => Segment { from: now, phase: Some(Phase::Detection), settles: self.over.is_some() },
            // Each time something was done it takes until users have it.
            None if settling => Segment { from: now, phase: Some(Phase::WarmUp), settles: true },
            None => Segment { from: now, phase: None, settles: false },
        };
        self.push(next);
    }

    fn push(&mut self, next: Segment) {
        let last = self.segments[self.segments.len() - 1];
        if (last.phase, last.settles) == (next.phase, next.settles) && !next.settles {
            return;
        }
        if last.from == next.from && !self.pending.keys().any(|&(segment, _)| segment == self.segments.len() - 1) {
            self.segments.pop();
            // Of the same phase as before it: no stretch of its own.
            if !self.segments.is_empty() {
                return self.push(next);
            }
        }
        if self.segments.len() < CHANGES_MOST {
            self.segments.push(next);
        }
    }

    // ------------------------------------------------------------ what it was when

    /// Which stretch an instant lies in.
    fn segment_at(&self, at: SimTime) -> usize {
        self.segments.partition_point(|segment| segment.from <= at).saturating_sub(1)
    }

    /// Whether it is under way at an instant.
    pub(super) fn covers(&self, at: SimTime) -> bool {
        self.begins <= at && self.ends.is_none_or(|end| at < end)
    }

    /// Whether it is under way at some time of a span.
    pub(super) fn overlaps(&self, from: SimTime, until: SimTime) -> bool {
        self.begins < until && self.ends.is_none_or(|end| from < end)
    }

    pub(super) fn phase_at(&self, at: SimTime) -> Option<Phase> {
        self.segments[self.segment_at(at)].phase
    }

    /// Where its phases change.
    pub(super) fn edges(&self) -> impl Iterator<Item = SimTime> {
        self.segments.iter().map(|segment| segment.from).chain(self.ends)
    }

    // ------------------------------------------------------------ what it lost

    /// An operation that it struck at an instant is lost.
    pub(super) fn lose(&mut self, at: SimTime, lot: Lot) {
        let latest = self.latest.entry(lot).or_insert(at);
        *latest = at.max(*latest);
        let number = self.segment_at(at);
        if self.segments[number].settles {
            let second = at.as_nanos() / 1_000_000_000;
            *self.pending.entry((number, second)).or_default().entry(lot).or_default() += 1;
        } else {
            let phase = self.segments[number].phase;
            *self.lost.entry(phase).or_default().entry(lot).or_default() += 1;
        }
    }

    /// What it has lost up to now, by when the last of each lot started.
    pub(super) fn latest(&self) -> impl Iterator<Item = (Lot, SimTime)> {
        self.latest.iter().map(|(&lot, &started)| (lot, started))
    }

    /// An earlier incident has lost an operation that started at an instant.
    pub(super) fn elder_loses(&mut self, elder: usize, lot: Lot, started: SimTime) {
        if started < self.begins && self.begins.since(started) <= STILL {
            self.elders.insert((elder, lot));
        }
    }

    /// Whether an earlier incident was losing operations of a route for a cause when this one began.
    pub(super) fn has_elder(&self, elder: usize, lot: Lot) -> bool {
        self.elders.contains(&(elder, lot))
    }

    fn book(&mut self, phase: Option<Phase>, counts: Counts) {
        add(self.lost.entry(phase).or_default(), counts);
    }

    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether a second lies before it.
    pub(super) fn is_later_than(&self, second: u64) -> bool {
        SimTime::from_secs(second + 1) <= self.begins
    }

    /// How users were served before it began; taken when the second in which it does closes, which is long after it began.
    pub(super) fn baseline(&mut self, service: &Service) -> &Baseline {
        self.baseline.get_or_insert_with(|| service.baseline())
    }

    /// A second takes no more answers; users were served as before in it, or not. What was lost where users turn out to have been
    /// served as before belongs to no phase, or to no incident any more.
    pub(super) fn second_closes(&mut self, second: u64, as_before: bool, outside: &mut Counts) {
        let end = SimTime::from_secs(second + 1);
        let number = self.segment_at(end);
        let segment = self.segments[number];
        self.settle_until(number, 0);
        if !segment.settles || self.ends.is_some() {
            return;
        }
        let too_long = end.since(segment.from) >= SETTLING_MOST;
        if self.good.0 != number {
            self.good = (number, None);
        }
        if as_before && SimTime::from_secs(second) >= segment.from.floor_to(SimDuration::from_secs(1)) {
            self.good.1.get_or_insert(second);
        } else {
            self.good.1 = None;
            self.settle_until(number, second + 1);
        }
        let good_for = self.good.1.map_or(0, |since| second + 1 - since);
        // That nobody has noticed anything yet does not mean that there is nothing.
        let enough = if segment.phase == Some(Phase::Detection) { UNNOTICED_AFTER } else { SETTLED_AFTER };
        if good_for >= enough || too_long {
            let since = self.good.1.map_or(end, SimTime::from_secs).max(segment.from);
            self.close(number, since, good_for >= enough, outside);
        }
    }

    /// What was lost in stretches before this one, and in this one by operations that started before a second, is known to belong to
    /// them.
    fn settle_until(&mut self, number: usize, second: u64) {
        while let Some(entry) = self.pending.first_entry().filter(|entry| *entry.key() < (number, second)) {
            let ((number, _), counts) = entry.remove_entry();
            self.book(self.segments[number].phase, counts);
        }
    }

    /// A stretch in which nothing more is done was over at an instant; so is the incident, if nothing came after it.
    fn close(&mut self, number: usize, since: SimTime, as_before: bool, outside: &mut Counts) {
        self.settle_until(number, since.as_nanos() / 1_000_000_000);
        let at_work = self.parts.iter().any(|part| matches!(part.marks.last(), Some((_, Mark::Phase(_)))));
        let ends = number + 1 == self.segments.len() && self.over.is_some() && !at_work;
        let mine = self.pending.split_off(&(number, 0));
        let (mine, later): (Vec<_>, Vec<_>) = mine.into_iter().partition(|((segment, _), _)| *segment == number);
        for (_, counts) in mine {
            if ends { add(outside, counts) } else { self.book(None, counts) }
        }
        if ends {
            (self.ends, self.as_before) = (Some(since), as_before);
            if self.segments[number].from == since && number > 0 {
                self.segments.pop();
            }
            return;
        }
        // A stretch in no phase comes in between, and moves the numbers of those behind it.
        let rest = Segment { from: since, phase: None, settles: false };
        let moved = if self.segments[number].from == since {
            self.segments[number] = rest;
            0
        } else {
            self.segments.insert(number + 1, rest);
            1
        };
        self.pending.extend(later.into_iter().map(|((segment, second), counts)| ((segment + moved, second), counts)));
    }

    /// Whether operations that start at an instant or later may belong to it, or its end is not known yet.
    pub(super) fn may_still_lose(&self, closed: SimTime) -> bool {
        self.ends.is_none_or(|end| end >= closed)
    }

    /// The run is over: what settles does so no more.
    pub(super) fn run_ends(&mut self) {
        self.settle_until(usize::MAX, 0);
    }

    pub(super) fn observed(self, now: SimTime) -> observations::Incident {
        let end = self.ends.unwrap_or(now).max(self.begins);
        let until = |at: usize| self.segments.get(at + 1).map_or(end, |next| next.from.min(end));
        let phases = self.segments.iter().enumerate().map(|(at, segment)| PhaseSpan {
            phase: segment.phase,
            from: segment.from.min(end),
            until: until(at),
        });
        let phases = phases.filter(|span| span.from < span.until).collect();
        let part = |part: Part| {
            let spans = part.marks.iter().enumerate().map(|(at, &(from, mark))| PhaseSpan {
                phase: Some(mark.phase()),
                from,
                until: part.marks.get(at + 1).map_or(end.max(from), |next| next.0),
            });
            (part.name, spans.filter(|span| span.from < span.until).collect())
        };
        observations::Incident {
            kind: self.kind,
            phases,
            begins: self.begins,
            ends: self.ends,
            as_before: self.as_before,
            parts: self.parts.into_iter().map(part).collect(),
            subject: self.subject,
            what: self.what,
        }
    }
}
