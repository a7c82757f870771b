//! M/M/1 in desim: 80 customers a second, a server of 100 a second. Prints customers and the mean sojourn.
//!
//! A running simulation takes no new processes, so that all customers are there from the beginning, as in desim's own examples.
#![feature(coroutines, coroutine_trait)]

use std::cell::Cell;
use std::rc::Rc;

use desim::prelude::*;
use desim::resources::SimpleResource;
use stormglass_peers::{customers, draw, exponential, tell};

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

fn customer(desk: ResourceId, service: f64, total: Rc<Cell<f64>>) -> Box<Process<Step>> {
    Box::new(
        #[coroutine]
        move |came: SimContext<Step>| {
            yield Step(Effect::Request(desk));
            yield Step(Effect::TimeOut(service));
            let left = yield Step(Effect::Release(desk));
            total.set(total.get() + left.time() - came.time());
        },
    )
}

fn main() {
    let customers = customers();
    let mut draw = draw();
    let mut simulation = Simulation::new();
    let desk = simulation.create_resource(Box::new(SimpleResource::new(1)));
    let total = Rc::new(Cell::new(0.0));
    let mut now = 0.0;
    for _ in 0..customers {
        now += exponential(&mut draw, 80.0);
        let service = exponential(&mut draw, 100.0);
        let process = simulation.create_process(customer(desk, service, Rc::clone(&total)));
        simulation.schedule_event(now, process, Step(Effect::TimeOut(0.0)));
    }
    simulation.run(EndCondition::NoEvents);
    tell(customers, total.get());
}
