//! The life of an attempt: held back by the client itself or made, over a connection or without, to whom a name resolves; answered or
//! given up; and what follows: another attempt, something learnt, the end of the operation.

use super::*;
use crate::deadlines::not_abandoned;

impl Client {
    #[inline(never)]
    pub(super) fn retry(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.attempt(key, cx);
    }

    #[inline(never)]
    pub(super) fn admitted(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.start_attempt(key, cx);
    }

    /// An attempt is due: made, unless the client itself holds it back.
    #[inline(always)]
    pub(super) fn attempt(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        if !self.circuits.is_empty() || !self.limiters.is_empty() {
            return self.admit(key, cx);
        }
        self.start_attempt(key, cx);
    }

    #[inline(never)]
    fn admit(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let client = cx.request(key).client as usize;
        if let Some(circuit) = of_client(&mut self.circuits, client)
            && !circuit.lets_through(now)
        {
            self.tally.attempts_refused += 1;
            return self.end_attempt(key, Outcome::failed(0, Cause::CircuitOpen), cx);
        }
        let wait = of_client(&mut self.limiters, client).map_or(SimDuration::ZERO, |limiter| limiter.wait(now));
        if wait.is_zero() {
            return self.start_attempt(key, cx);
        }
        self.tally.attempts_held_back += 1;
        cx.kernel.schedule_in(wait, self.event(Event::Admitted(key)));
    }

    #[inline(always)]
    fn start_attempt(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if request.abandoned {
            // Its twin was answered meanwhile.
            cx.shared.requests.remove(key);
            return;
        }
        request.attempted = now;
        let (route, started) = (request.route, request.started);
        if self.settings.canary.is_none() {
            cx.shared.observer.attempt(route, started);
        }
        if self.timeout.is_some() {
            self.watch(key, cx);
        }
        if let (Some(lane), false) = (self.hedge.lane(), self.twins.contains_key(&key)) {
            cx.kernel.schedule_lane(lane, self.event(Event::Hedge(key)));
        }
        self.ask(key, cx);
    }

    /// The attempt has its timeout from now on.
    #[inline(never)]
    fn watch(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let wake = self.event(Event::Timeout);
        if let Some(timeout) = &mut self.timeout {
            timeout.watch(key, wake, not_abandoned, cx);
        }
    }

    /// Asks for what the request names: at first, and again where an answer has sent the client to another path, which then goes over
    /// the same connection.
    #[inline(always)]
    fn ask(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let connection = cx.request(key).connection;
        match &self.pool {
            None => self.resolve(key, cx),
            Some(pool) if connection != NO_CONNECTION => {
                let to = pool.address(connection).expect("it is open");
                self.send(key, to, cx);
            }
            Some(_) => self.connect(key, cx),
        }
    }

    /// An attempt takes a connection, opens one, or waits for one.
    #[inline(never)]
    fn connect(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if request.abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        let pool = self.pool.as_mut().expect("only sources with connections connect");
        match pool.claim(request.client, key, now) {
            Claim::Ready(connection, to, ready) => {
                request.connection = connection;
                self.send_from(ready, key, to, cx);
            }
            Claim::New(connection) => {
                request.connection = connection;
                self.resolve(key, cx);
            }
            Claim::Waits => {}
        }
    }

    #[inline(always)]
    fn resolve(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        match self.settings.to {
            record @ Endpoint::Record(_) => cx.offer(record, key, Hop::NONE),
            endpoint => self.found(key, endpoint, cx),
        }
    }

    /// It is known whom to ask: over a new connection if there are any.
    #[inline(always)]
    fn found(&mut self, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        let request = &cx.shared.requests[key];
        let (connection, client) = (request.connection, request.client);
        if connection == NO_CONNECTION {
            return self.send(key, to, cx);
        }
        self.open(connection, client, key, to, cx);
    }

    /// A new connection is opened to whom the request goes.
    #[inline(never)]
    fn open(&mut self, connection: u32, client: u32, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        let now = cx.now();
        let rtt = self.rtt_to(to);
        let pool = self.pool.as_mut().expect("a connection is of a pool");
        let ready = pool.opened(connection, to, rtt, now);
        self.send_from(ready, key, to, cx);
        self.serve_waiting(client, cx);
    }

    /// Attempts of a client that wait for a connection go on, as far as there are any.
    fn serve_waiting(&mut self, client: u32, cx: &mut Cx<'_>) {
        while let Some(next) = self.pool.as_mut().and_then(|pool| pool.next_waiting(client, cx.now())) {
            self.connect(next, cx);
        }
    }

    fn send_from(&mut self, ready: SimTime, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        if ready <= cx.now() {
            self.send(key, to, cx);
        } else {
            cx.kernel.schedule_at(ready, self.event(Event::Connected(key)));
        }
    }

    #[inline(never)]
    pub(super) fn connected(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = &cx.shared.requests[key];
        if request.abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        let to = self.pool.as_ref().and_then(|pool| pool.address(request.connection)).expect("it is open");
        self.send(key, to, cx);
    }

    /// A request is over: its connection is free for another, or closed.
    #[inline(always)]
    fn leave_connection(&mut self, key: RequestKey, keep: bool, cx: &mut Cx<'_>) {
        if self.pool.is_some() {
            self.release_connection(key, keep, cx);
        }
    }

    #[inline(never)]
    fn release_connection(&mut self, key: RequestKey, keep: bool, cx: &mut Cx<'_>) {
        let Some(pool) = &mut self.pool else { return };
        let now = cx.kernel.now();
        let request = &mut cx.shared.requests[key];
        let connection = std::mem::replace(&mut request.connection, NO_CONNECTION);
        if connection != NO_CONNECTION {
            let client = request.client;
            pool.released(connection, keep, now);
            self.serve_waiting(client, cx);
        }
    }

    #[inline(always)]
    fn send(&mut self, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        let hop = self.hop_to(to);
        cx.request(key).set_bottom_hop(hop);
        cx.offer(to, key, hop);
    }

    fn rtt_to(&self, to: Endpoint) -> SimDuration {
        match to {
            Endpoint::CloudFront(distribution) => self.edge_rtts[distribution.index()],
            _ => self.settings.rtt_to.iter().find(|(far, _)| *far == to).map_or(self.settings.rtt, |(_, rtt)| *rtt),
        }
    }

    #[inline(always)]
    fn hop_to(&self, to: Endpoint) -> Hop {
        match to {
            Endpoint::CloudFront(distribution) => self.edge_hops[distribution.index()],
            _ if self.far_hops.is_empty() => self.hop,
            _ => self.hop_to_far(to),
        }
    }

    #[inline(never)]
    fn hop_to_far(&self, to: Endpoint) -> Hop {
        self.far_hops.iter().find(|(far, _)| *far == to).map_or(self.hop, |(_, hop)| *hop)
    }

    /// Route 53's answer: what the name resolves to, if anything.
    #[inline(never)]
    pub fn resolved(&mut self, key: RequestKey, answer: Option<Endpoint>, cx: &mut Cx<'_>) {
        if cx.request(key).abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        match answer {
            Some(endpoint) => self.found(key, endpoint, cx),
            None => self.end_attempt(key, Outcome::failed(0, Cause::Dns), cx),
        }
    }

    /// An answer comes back.
    pub fn on_reply(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        if request.abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        let outcome = request.outcome;
        if outcome.is_redirect() {
            return self.follow(key, cx);
        }
        self.end_attempt(key, outcome, cx);
    }

    /// The client is sent to another path.
    #[inline(never)]
    fn follow(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        cx.request(key).push(Holder::Client(self.id), Hop::NONE);
        self.ask(key, cx);
    }

    #[inline(never)]
    pub(super) fn time_out(&mut self, cx: &mut Cx<'_>) {
        let wake = self.event(Event::Timeout);
        while let Some(key) = self.timeout.as_mut().and_then(|timeout| timeout.next_due(wake, not_abandoned, cx)) {
            self.abandon(key, cx);
            self.after_attempt(key, Outcome::failed(0, Cause::ClientTimeout), cx);
        }
    }

    /// The client no longer waits. Whoever has the request goes on with it, and it is removed when it comes back.
    fn abandon(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        cx.request(key).abandoned = true;
        // HTTP/1.1 can only close the connection; a stream is reset alone.
        let keep = self.settings.connections.is_some_and(|connections| connections.streams > 1);
        self.leave_connection(key, keep, cx);
    }

    #[inline(always)]
    fn end_attempt(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        self.leave_connection(key, outcome.status != 0, cx);
        self.after_attempt(key, outcome, cx);
        cx.shared.requests.remove(key);
    }

    #[inline(always)]
    fn after_attempt(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        if !self.tokens.is_empty() || !self.circuits.is_empty() || !self.limiters.is_empty() {
            self.learn(key, outcome, cx);
        }
        if !self.twins.is_empty() && !self.decides(key, outcome, cx) {
            return;
        }
        if !outcome.is_ok() && self.retried(key, outcome, cx) {
            return;
        }
        if let Arrivals::Closed { think_time, .. } = &self.settings.arrivals {
            self.think(think_time, key, cx);
        }
        let request = &cx.shared.requests[key];
        let (route, started) = (request.route, request.started);
        match self.settings.canary {
            Some(canary) => cx.control(Control::ProbeEnded(canary, started, outcome)),
            None => cx.shared.observer.operation_ends(route, started, cx.kernel.now(), outcome),
        }
    }

    /// An attempt has failed: whether another will follow.
    #[cold]
    #[inline(never)]
    fn retried(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) -> bool {
        let retry = &self.settings.retry;
        let request = &cx.shared.requests[key];
        if retry.again(request.attempt, outcome)
            && let Some(price) = self.pay(request.client, outcome)
        {
            let retry = &self.settings.retry;
            let delay = retry.delay(request.attempt, outcome, request.draws(purpose::BACKOFF).uniform());
            let mut next = self.operation_again(request, u64::from(request.attempt));
            next.attempt += 1;
            next.retry_cost = price;
            let key = cx.shared.requests.insert(next);
            cx.kernel.schedule_in(delay, self.event(Event::Retry(key)));
            return true;
        }
        false
    }

    /// What a client learns from the end of an attempt: tokens, its circuit, its rate.
    #[inline(never)]
    fn learn(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        if outcome.cause == Cause::CircuitOpen {
            return;
        }
        let now = cx.kernel.now();
        let request = &cx.shared.requests[key];
        let client = request.client as usize;
        if let (Some(quota), true) = (self.settings.retry.quota, outcome.is_ok())
            && let Some(tokens) = of_client(&mut self.tokens, client)
        {
            quota.release(tokens, request.retry_cost);
        }
        if let (Some(settings), Some(circuit)) = (&self.settings.circuit_breaker, of_client(&mut self.circuits, client))
        {
            self.tally.circuits_opened += u64::from(circuit.ended(outcome.is_ok(), settings, now));
        }
        if let Some(limiter) = of_client(&mut self.limiters, client) {
            limiter.answered(retry::is_throttled(outcome), now);
        }
    }

    /// Takes the price of a retry from a client's quota; `None` if it cannot pay.
    fn pay(&mut self, client: u32, outcome: Outcome) -> Option<u8> {
        let price = match (self.settings.retry.quota, of_client(&mut self.tokens, client as usize)) {
            (Some(quota), Some(tokens)) => quota.acquire(tokens, outcome),
            _ => Some(0),
        };
        self.tally.retries += u64::from(price.is_some());
        self.tally.retries_refused += u64::from(price.is_none());
        price
    }

    /// Sends an attempt that is still unanswered a second time.
    #[inline(never)]
    pub(super) fn hedge(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let Some(request) = cx.shared.requests.get(key).filter(|request| !request.abandoned) else { return };
        let second = self.operation_again(request, purpose::HEDGE);
        let second = cx.shared.requests.insert(second);
        self.tally.hedges += 1;
        self.twins.insert(key, Twin { other: second, second: false });
        self.twins.insert(second, Twin { other: key, second: true });
        self.attempt(second, cx);
    }

    /// Whether the end of an attempt decides its operation's: not if it failed while its twin is still out. Of two, a good
    /// answer makes the other one void.
    #[inline(never)]
    fn decides(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) -> bool {
        let Some(Twin { other, second }) = self.twins.remove(&key) else { return true };
        self.twins.remove(&other);
        if outcome.is_ok() {
            self.tally.hedges_won += u64::from(second);
            self.abandon(other, cx);
        }
        outcome.is_ok()
    }

    /// The same operation once more: what is asked for stays, what it costs is drawn anew from a stream of its own.
    fn operation_again(&self, request: &Request, which: u64) -> Request {
        let stream = mix(request.stream, which);
        let mut again = Request::new(stream, request.started, Holder::Client(self.id), Hop::NONE);
        again.traffic = request.traffic;
        again.place = request.place;
        again.route = request.route;
        again.path = request.path;
        again.method = request.method;
        again.client = request.client;
        again.catalog = request.catalog;
        again.object = request.object;
        again.bytes = request.bytes;
        again.query_variant = request.query_variant;
        again.header_variant = request.header_variant;
        again.cookie_variant = request.cookie_variant;
        again.attempt = request.attempt;
        again
    }
}

/// What a client remembers, if its source has such a thing. Clients beyond the population (a recorded log may have more than it
/// said) share with others.
fn of_client<T>(all: &mut [T], client: usize) -> Option<&mut T> {
    let population = all.len();
    all.get_mut(client.checked_rem(population)?)
}
