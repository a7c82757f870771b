//! M/M/1 in NeXosim: 80 customers a second, a server of 100 a second. Prints customers and the mean sojourn.

use std::collections::VecDeque;
use std::time::Duration;

use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkReader, Output, SinkState, event_queue};
use nexosim::simulation::{Mailbox, SimInit, SimulationError};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};
use stormglass_peers::{Draw, customers, draw, exponential, tell};

#[derive(Serialize, Deserialize)]
struct Source {
    customer: Output<()>,
    draw: Draw,
    left: usize,
}

#[Model]
impl Source {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        self.next(cx);
    }

    #[nexosim(schedulable)]
    async fn arrive(&mut self, _: (), cx: &Context<Self>) {
        self.customer.send(()).await;
        self.next(cx);
    }

    fn next(&mut self, cx: &Context<Self>) {
        if self.left > 0 {
            self.left -= 1;
            let gap = seconds(exponential(&mut self.draw, 80.0));
            cx.schedule_event(gap, schedulable!(Self::arrive), ()).expect("the gap is positive");
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Desk {
    /// The sum of the sojourns in seconds, once all are served.
    result: Output<f64>,
    draw: Draw,
    left: usize,
    /// When those who are here came; the first is being served.
    present: VecDeque<MonotonicTime>,
    total: f64,
}

#[Model]
impl Desk {
    async fn come(&mut self, _: (), cx: &Context<Self>) {
        self.present.push_back(cx.time());
        if self.present.len() == 1 {
            self.begin(cx);
        }
    }

    #[nexosim(schedulable)]
    async fn finish(&mut self, _: (), cx: &Context<Self>) {
        let came = self.present.pop_front().expect("someone is served");
        self.total += cx.time().duration_since(came).as_secs_f64();
        self.left -= 1;
        if !self.present.is_empty() {
            self.begin(cx);
        }
        if self.left == 0 {
            self.result.send(self.total).await;
        }
    }

    fn begin(&mut self, cx: &Context<Self>) {
        let service = seconds(exponential(&mut self.draw, 100.0));
        cx.schedule_event(service, schedulable!(Self::finish), ()).expect("the service is positive");
    }
}

/// An event has to lie in the future: by a nanosecond at least.
fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value).max(Duration::from_nanos(1))
}

fn main() -> Result<(), SimulationError> {
    let customers = customers();
    let mut streams = draw();
    let mut source = Source { customer: Output::default(), draw: streams.clone(), left: customers };
    streams.jump();
    let mut desk =
        Desk { result: Output::default(), draw: streams, left: customers, present: VecDeque::new(), total: 0.0 };
    let source_box = Mailbox::new();
    let desk_box = Mailbox::new();
    source.customer.connect(Desk::come, &desk_box);
    let (sink, mut result) = event_queue(SinkState::Enabled);
    desk.result.connect_sink(sink);
    let mut simulation = SimInit::with_num_threads(1)
        .add_model(source, source_box, "source")
        .add_model(desk, desk_box, "desk")
        .init(MonotonicTime::EPOCH)?;
    simulation.run()?;
    tell(customers, result.try_read().expect("all are served"));
    Ok(())
}
