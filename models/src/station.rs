//! A plain station: a textbook queue, or a dependency that is no AWS service (a payment provider, an S3 origin).

use sim_core::SimTime;
use sim_core::distribution::Distribution;
use sim_core::observations::SeriesGroup;
use sim_core::station::fifo::{Fifo, Offered};
use sim_core::station::sharing::ProcessorSharing;
use sim_core::tally::StationTally;

use crate::ids::*;
use crate::observer::{FigureId, Figures, Findings, Observed};
use crate::request::*;
use crate::world::{self, Cx};

/// A station.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// Servers (FIFO) or cores (processor sharing); none = any number (a pure delay).
    pub servers: Option<u32>,
    /// Requests that may wait; none = any number.
    pub room: Option<u32>,
    /// How they are served.
    pub discipline: Discipline,
    /// Service times, by [`crate::Request::operation`]; the first is the station's own.
    pub classes: Vec<Distribution>,
    /// Size of an answer, bytes (where no catalogue says).
    pub response_bytes: u32,
}

/// How waiting requests are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Discipline {
    /// First come, first served.
    #[default]
    Fifo,
    /// All at once, sharing the cores.
    ProcessorSharing,
}

/// What happens inside a station.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request's service is over.
    Done(RequestKey),
    /// The earliest request that shares the cores may be done.
    SharedDone,
}

/// A station at work.
#[derive(Debug)]
pub struct Station {
    id: StationId,
    name: String,
    classes: Vec<Distribution>,
    response_bytes: u32,
    servers: Servers,
    figure: Option<FigureId>,
    busy_at_bin: (f64, f64),
}

#[derive(Debug)]
enum Servers {
    Fifo(Fifo<RequestKey>),
    Sharing { cores: ProcessorSharing<RequestKey>, scheduled: Option<u64>, tally: StationTally, room: Option<u32> },
    Delay(StationTally),
}

impl Station {
    /// Builds it.
    #[must_use]
    pub fn new(id: StationId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("station.{}", settings.name);
        let servers = match (settings.servers, settings.discipline) {
            (None, _) => Servers::Delay(StationTally::new(0)),
            (Some(servers), Discipline::Fifo) => Servers::Fifo(Fifo::new(servers, settings.room)),
            (Some(cores), Discipline::ProcessorSharing) => Servers::Sharing {
                cores: ProcessorSharing::new(f64::from(cores)),
                scheduled: None,
                tally: StationTally::shared(cores),
                // Nobody waits at a station that serves all at once: room limits how many share it beyond its cores.
                room: settings.room.map(|room| room.saturating_add(cores)),
            },
        };
        let bounded = settings.servers.is_some();
        let figure = bounded.then(|| cx.shared.observer.figures.register(SeriesGroup::Utilisation, &name, "ratio"));
        Self {
            id,
            classes: settings.classes.clone(),
            response_bytes: settings.response_bytes,
            servers,
            figure,
            busy_at_bin: (0.0, 0.0),
            name,
        }
    }

    /// A request arrives.
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if request.purpose == Purpose::HealthCheck {
            return cx.reply(key, Outcome::OK);
        }
        let class = self.classes.get(request.operation as usize).unwrap_or(&self.classes[0]);
        let service = class.sample_duration(&mut request.draws(purpose::SERVICE));
        request.joined = now;
        let ends = match &mut self.servers {
            Servers::Fifo(fifo) => match fifo.offer(now, key, service) {
                Offered::Started { ends } => ends,
                Offered::Waits => return,
                Offered::Refused => return cx.reply(key, Outcome::failed(503, Cause::Overloaded)),
            },
            Servers::Sharing { cores, tally, room, .. } => {
                if room.is_some_and(|room| cores.len() >= room as usize) {
                    tally.refuse(now);
                    return cx.reply(key, Outcome::failed(503, Cause::Overloaded));
                }
                tally.join_served(now);
                cores.offer(now, key, service);
                return self.schedule_shared(cx);
            }
            Servers::Delay(tally) => {
                tally.join_served(now);
                now + service
            }
        };
        cx.kernel.schedule_at(ends, world::Event::Station(self.id, Event::Done(key)));
    }

    fn schedule_shared(&mut self, cx: &mut Cx<'_>) {
        let Servers::Sharing { cores, scheduled, .. } = &mut self.servers else { return };
        if let Some((at, epoch)) = cores.next_completion().filter(|&(_, epoch)| *scheduled != Some(epoch)) {
            *scheduled = Some(epoch);
            cx.kernel.schedule_at(at, world::Event::Station(self.id, Event::SharedDone));
        }
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        let now = cx.now();
        match (event, &mut self.servers) {
            (Event::Done(key), Servers::Fifo(fifo)) => {
                if let Some(next) = fifo.complete(now) {
                    cx.kernel.schedule_at(next.ends, world::Event::Station(self.id, Event::Done(next.job)));
                }
                self.answer(key, cx);
            }
            (Event::Done(key), Servers::Delay(tally)) => {
                tally.leave(now, cx.request(key).joined);
                self.answer(key, cx);
            }
            (Event::SharedDone, Servers::Sharing { .. }) => {
                while let Some(key) = self.next_shared(now, cx) {
                    self.answer(key, cx);
                }
                self.schedule_shared(cx);
            }
            (event, _) => unreachable!("a station's discipline is fixed: {event:?}"),
        }
    }

    fn next_shared(&mut self, now: SimTime, cx: &mut Cx<'_>) -> Option<RequestKey> {
        let Servers::Sharing { cores, tally, .. } = &mut self.servers else { return None };
        let key = cores.pop_completed(now)?;
        tally.leave(now, cx.request(key).joined);
        Some(key)
    }

    fn answer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        if request.bytes == 0 {
            request.bytes = self.response_bytes;
        }
        cx.reply(key, Outcome::OK);
    }

    fn tally(&mut self) -> &mut StationTally {
        match &mut self.servers {
            Servers::Fifo(fifo) => &mut fifo.tally,
            Servers::Sharing { tally, .. } | Servers::Delay(tally) => tally,
        }
    }
}

impl Observed for Station {
    fn warm_up_over(&mut self, now: SimTime) {
        self.tally().reset(now);
        self.busy_at_bin = (0.0, 0.0);
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        let Some(figure) = self.figure else { return };
        let (busy, there) = self.tally().busy_and_server_time(now);
        let (busy_before, there_before) = std::mem::replace(&mut self.busy_at_bin, (busy, there));
        figures.put(figure, now, (busy - busy_before) / (there - there_before));
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        let resource = match self.servers {
            Servers::Fifo(_) => "server",
            Servers::Sharing { .. } => "core",
            Servers::Delay(_) => "none",
        };
        let name = self.name.clone();
        let unbounded = matches!(self.servers, Servers::Delay(_));
        let tally = self.tally();
        findings.stations.push(tally.observe(&name, resource, now));
        for mut check in tally.check(now) {
            // A pure delay has no servers to be busy.
            if unbounded && check.law.starts_with("utilisation") {
                continue;
            }
            check.law = format!("{name}: {}", check.law);
            findings.checks.push(check);
        }
    }
}
