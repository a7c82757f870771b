//! M/M/1 in simrs: 80 customers a second, a server of 100 a second. Prints customers and the mean sojourn.

use std::cell::RefCell;
use std::time::Duration;

use simrs::{Component, ComponentId, Executor, Fifo, Key, QueueId, Scheduler, Simulation, State};
use stormglass_peers::{Draw, customers, draw, exponential, tell};

#[derive(Debug)]
struct Arrive;

struct Source {
    draw: RefCell<Draw>,
    left: Key<usize>,
    waiting: QueueId<Fifo<Duration>>,
    desk: ComponentId<Work>,
}

impl Component for Source {
    type Event = Arrive;

    fn process_event(&self, me: ComponentId<Arrive>, _: &Arrive, scheduler: &mut Scheduler, state: &mut State) {
        let _ = state.send(self.waiting, scheduler.time());
        scheduler.schedule_now(self.desk, Work::Come);
        let left = state.get_mut(self.left).expect("the source counts");
        *left -= 1;
        if *left > 0 {
            scheduler.schedule(seconds(exponential(&mut *self.draw.borrow_mut(), 80.0)), me, Arrive);
        }
    }
}

#[derive(Debug)]
enum Work {
    Come,
    Finish,
}

struct Desk {
    draw: RefCell<Draw>,
    waiting: QueueId<Fifo<Duration>>,
    serving: Key<Option<Duration>>,
    total: Key<f64>,
}

impl Desk {
    /// Serves the next who waits, if the server is free.
    fn begin(&self, me: ComponentId<Work>, scheduler: &mut Scheduler, state: &mut State) {
        if state.get(self.serving).expect("the desk serves").is_some() {
            return;
        }
        if let Some(came) = state.recv(self.waiting) {
            *state.get_mut(self.serving).expect("the desk serves") = Some(came);
            scheduler.schedule(seconds(exponential(&mut *self.draw.borrow_mut(), 100.0)), me, Work::Finish);
        }
    }
}

impl Component for Desk {
    type Event = Work;

    fn process_event(&self, me: ComponentId<Work>, event: &Work, scheduler: &mut Scheduler, state: &mut State) {
        if let Work::Finish = event {
            let came = state.get_mut(self.serving).expect("the desk serves").take().expect("who is served came");
            *state.get_mut(self.total).expect("the desk adds up") += (scheduler.time() - came).as_secs_f64();
        }
        self.begin(me, scheduler, state);
    }
}

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value)
}

fn main() {
    let customers = customers();
    let mut simulation = Simulation::default();
    let waiting = simulation.add_queue(Fifo::default());
    let serving = simulation.state.insert(None);
    let total = simulation.state.insert(0.0);
    let left = simulation.state.insert(customers);
    let mut streams = draw();
    let arrivals = RefCell::new(streams.clone());
    streams.jump();
    let services = RefCell::new(streams);
    let desk = simulation.add_component(Desk { draw: services, waiting, serving, total });
    let source = simulation.add_component(Source { draw: arrivals, left, waiting, desk });
    simulation.schedule(Duration::ZERO, source, Arrive);
    simulation.execute(Executor::unbound());
    tell(customers, *simulation.state.get(total).expect("the desk added up"));
}
