//! `three-tier` in desim: 1600/s, least outstanding over 10 tasks of 4 workers, then a database of 16 servers.
//!
//! A running simulation takes no new processes, so that all requests are there from the beginning, as in desim's own examples.
#![feature(coroutines, coroutine_trait)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use desim::prelude::*;
use desim::resources::SimpleResource;
use stormglass_peers::{customers, draw, exponential, lognormal, tell};

/// An effect that is not logged.
#[derive(Clone, Copy)]
struct Step(Effect);

impl SimState for Step {
    fn get_effect(&self) -> Effect {
        self.0
    }
    fn set_effect(&mut self, effect: Effect) {
        self.0 = effect;
    }
    fn should_log(&self) -> bool {
        false
    }
}

struct Site {
    tasks: Vec<ResourceId>,
    outstanding: RefCell<[u32; 10]>,
    database: ResourceId,
    total: Cell<f64>,
}

impl Site {
    /// Chooses the task with the fewest outstanding requests and gives it one more.
    fn choose(&self) -> usize {
        let mut outstanding = self.outstanding.borrow_mut();
        let task = (0..outstanding.len()).min_by_key(|&task| outstanding[task]).expect("there are tasks");
        outstanding[task] += 1;
        task
    }
}

fn request(site: Rc<Site>, work: f64, query: f64) -> Box<Process<Step>> {
    Box::new(
        #[coroutine]
        move |came: SimContext<Step>| {
            let task = site.choose();
            yield Step(Effect::Request(site.tasks[task]));
            yield Step(Effect::TimeOut(work));
            yield Step(Effect::Release(site.tasks[task]));
            yield Step(Effect::Request(site.database));
            yield Step(Effect::TimeOut(query));
            let left = yield Step(Effect::Release(site.database));
            site.outstanding.borrow_mut()[task] -= 1;
            site.total.set(site.total.get() + left.time() - came.time());
        },
    )
}

fn main() {
    let customers = customers();
    let mut draw = draw();
    let mut simulation = Simulation::new();
    let tasks = (0..10).map(|_| simulation.create_resource(Box::new(SimpleResource::new(4)))).collect();
    let database = simulation.create_resource(Box::new(SimpleResource::new(16)));
    let site = Rc::new(Site { tasks, outstanding: RefCell::default(), database, total: Cell::new(0.0) });
    let mut now = 0.0;
    for _ in 0..customers {
        now += exponential(&mut draw, 1600.0);
        let work = exponential(&mut draw, 50.0);
        let query = lognormal(&mut draw, 0.005, 0.5);
        let process = simulation.create_process(request(Rc::clone(&site), work, query));
        simulation.schedule_event(now, process, Step(Effect::TimeOut(0.0)));
    }
    simulation.run(EndCondition::NoEvents);
    tell(customers, site.total.get());
}
