//! A request on its way, the frames of those who hold resources for it, and how it can end.

use sim_core::slab::Key;
use sim_core::{LaneId, SimDuration, SimTime};

use crate::ids::*;

/// Names one request in the slab; stale once the request is gone.
pub type RequestKey = Key;
/// Names one task in the slab of its service; stale once the task is gone.
pub type TaskKey = Key;
/// Names one target in the slab of its load balancer.
pub type TargetKey = Key;

/// Why a request failed. Exclusive: a failed operation has exactly one, the first that made it fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Cause {
    /// It did not fail.
    #[default]
    None,
    /// The client gave up waiting.
    ClientTimeout,
    /// The name did not resolve.
    Dns,
    /// CloudFront could not reach or did not hear from the origin (504), or the origin answered badly (502).
    CloudFrontOrigin,
    /// CloudFront refused the method, or a viewer without TLS (403).
    CloudFrontForbidden,
    /// Code at the edge failed (503).
    EdgeFunction,
    /// No packet reached the service, and the connection was given up.
    Unreachable,
    /// The load balancer: the target closed the connection (502).
    Alb502,
    /// The load balancer: no registered targets (503).
    Alb503,
    /// The load balancer: the target could not be connected to, or was silent past the idle timeout (504).
    Alb504,
    /// A fixed response of a listener rule with an error status.
    AlbFixed,
    /// The target's own error (500): the revision's or an injected error rate.
    TargetError,
    /// A task or station turned the request away for want of room.
    Overloaded,
    /// It waited at a station for longer than its patience.
    GaveUpWaiting,
    /// The server of a station broke down with it, or too few servers were up to take it.
    ServerDown,
    /// There was no task to serve a direct call.
    NoTask,
    /// The task died with the request on it.
    TaskStopped,
    /// A call to a dependency was not answered in time.
    CallTimeout,
    /// The database refused a connection: `max_connections` reached (MySQL error 1040).
    TooManyConnections,
    /// A connection could not be had from the pool in time.
    PoolTimeout,
    /// A write was sent to a reader (MySQL error 1290).
    ReadOnly,
    /// The database connection broke, or could not be opened.
    ConnectionLost,
    /// The table throttled the operation (ProvisionedThroughputExceededException), or a station's rate limit did.
    Throttled,
    /// Packets to the target are lost: no connection within [`CONNECT_TIMEOUT`].
    ConnectTimeout,
    /// The load balancer has not yet grown to the load (503).
    AlbCapacity,
    /// A rule of a web ACL blocked it (403).
    WafBlocked,
    /// The connection was reset: the network load balancer's target became unhealthy, left, or there was none.
    ConnectionReset,
    /// The client's own circuit breaker was open: nothing was asked.
    CircuitOpen,
    /// What a caller relies on was not in the cache: a session that is gone.
    CacheMiss,
    /// The cache had no memory for it and may drop nothing (Redis: OOM).
    CacheFull,
    /// The condition of a write does not hold (ConditionalCheckFailedException).
    ConditionFailed,
}

/// How long it is tried to connect to where packets are lost (ALB guide, troubleshooting: 10 s; taken for all callers).
pub const CONNECT_TIMEOUT: SimDuration = SimDuration::from_secs(10);

impl Cause {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// All of them, in order.
    pub const ALL: [Self; 31] = [
        Self::None,
        Self::ClientTimeout,
        Self::Dns,
        Self::CloudFrontOrigin,
        Self::CloudFrontForbidden,
        Self::EdgeFunction,
        Self::Unreachable,
        Self::Alb502,
        Self::Alb503,
        Self::Alb504,
        Self::AlbFixed,
        Self::TargetError,
        Self::Overloaded,
        Self::GaveUpWaiting,
        Self::ServerDown,
        Self::NoTask,
        Self::TaskStopped,
        Self::CallTimeout,
        Self::TooManyConnections,
        Self::PoolTimeout,
        Self::ReadOnly,
        Self::ConnectionLost,
        Self::Throttled,
        Self::ConnectTimeout,
        Self::AlbCapacity,
        Self::WafBlocked,
        Self::ConnectionReset,
        Self::CircuitOpen,
        Self::CacheMiss,
        Self::CacheFull,
        Self::ConditionFailed,
    ];
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientTimeout => "client_timeout",
            Self::Dns => "dns_failure",
            Self::CloudFrontOrigin => "cloudfront_origin",
            Self::CloudFrontForbidden => "cloudfront_forbidden",
            Self::EdgeFunction => "edge_function",
            Self::Unreachable => "unreachable",
            Self::Alb502 => "alb_502",
            Self::Alb503 => "alb_503",
            Self::Alb504 => "alb_504",
            Self::AlbFixed => "alb_fixed_response",
            Self::TargetError => "target_5xx",
            Self::Overloaded => "overloaded",
            Self::GaveUpWaiting => "gave_up_waiting",
            Self::ServerDown => "server_down",
            Self::NoTask => "no_task",
            Self::TaskStopped => "task_stopped",
            Self::CallTimeout => "call_timeout",
            Self::TooManyConnections => "too_many_connections",
            Self::PoolTimeout => "pool_timeout",
            Self::ReadOnly => "read_only",
            Self::ConnectionLost => "connection_lost",
            Self::Throttled => "throttled",
            Self::ConnectTimeout => "connect_timeout",
            Self::AlbCapacity => "alb_capacity",
            Self::WafBlocked => "waf_blocked",
            Self::ConnectionReset => "connection_reset",
            Self::CircuitOpen => "circuit_open",
            Self::CacheMiss => "cache_miss",
            Self::CacheFull => "cache_full",
            Self::ConditionFailed => "condition_failed",
        }
    }
}

/// How a request was answered: an HTTP status as the caller sees it, and the root cause where it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// HTTP status; 0 where there was no answer.
    pub status: u16,
    /// The root cause; [`Cause::None`] where it went well.
    pub cause: Cause,
}

impl Outcome {
    /// Answered well.
    pub const OK: Self = Self { status: 200, cause: Cause::None };
    /// Failed with a status and a root cause.
    #[must_use]
    pub const fn failed(status: u16, cause: Cause) -> Self {
        Self { status, cause }
    }
    /// Whether it sends the client to another path, which the request has by then.
    #[must_use]
    pub fn is_redirect(self) -> bool {
        matches!(self.status, 301 | 302)
    }
    /// Whether the caller has what it wanted.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self.cause == Cause::None
    }
}

/// What a request is for, as far as services treat it differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Purpose {
    /// A user's operation, or a call on behalf of one.
    #[default]
    Work,
    /// A health check: answered by the task itself, never by its handlers or dependencies.
    HealthCheck,
}

/// Method, as far as caches and rules care.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Method {
    /// Safe and cacheable.
    #[default]
    Get,
    /// Safe and cacheable, no body.
    Head,
    /// Everything else: never cached.
    Post,
    /// See [`Method::Post`].
    Put,
    /// See [`Method::Post`].
    Patch,
    /// See [`Method::Post`].
    Delete,
    /// See [`Method::Post`].
    Options,
}

impl Method {
    /// Whether CloudFront may answer it from a cache (GET and HEAD; CloudFront guide, controlling-the-cache-key).
    #[must_use]
    pub fn is_cacheable(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// Who holds resources for a request, waits for its reply, and what it must remember. The stack of a request's frames is the
/// way its reply takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// The client that sent it.
    Client(TrafficId),
    /// A task that called a dependency: the request it works on.
    Call(ComputeId, RequestKey),
    /// The health check of a task's container.
    ContainerCheck(EcsId),
    /// A load balancer's health check of a target.
    TargetProbe(AlbId, TargetKey),
    /// A Route 53 health check: its number, and the checker's number.
    RouteProbe(u16, u16),
    /// An accelerator that sent the request to its endpoint of this number.
    Accelerator(GlobalAcceleratorId, u16),
    /// An accelerator's check of its endpoint of this number.
    AcceleratorProbe(GlobalAcceleratorId, u16),
    /// A cache of a distribution that sent the request on: its number there, and what it must remember.
    Cache(CloudFrontId, u16, Trip),
    /// A load balancer that forwarded the request to a target.
    Alb(AlbId, TargetKey),
    /// A station that had no copy and asked the station behind it.
    Station(StationId),
    /// A task that looked into a cache and asks the store: its trip there.
    ElastiCache(ElastiCacheId, Key),
    /// A cluster of DAX that asked the table.
    Dax(DaxId),
}

/// What a distribution's cache must remember of a request it sent on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trip {
    /// How often the present origin has been asked.
    pub attempt: u8,
    /// How often any origin has been asked: tells the timer of one attempt from that of another.
    pub serial: u8,
    /// It is at the secondary of an origin group.
    pub secondary: bool,
    /// Others at the cache wait for its answer.
    pub leads: bool,
    /// No viewer waits for it: it renews a copy.
    pub background: bool,
    /// Where it is.
    pub stage: Stage,
}

/// Where a request is that a distribution's cache sent on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stage {
    /// At another cache.
    #[default]
    ToCache,
    /// At an origin.
    ToOrigin,
    /// At a function behind the origin, which will go well.
    FunctionDone,
    /// At a function before or behind the origin, which will fail.
    FunctionFailed,
}

/// A holder and the way back to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Who.
    pub holder: Holder,
    /// The one-way delay of the reply.
    pub back: Hop,
}
const _: () = assert!(size_of::<Frame>() <= 16);

/// A one-way network delay: none at all, or a lane of that delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hop(Option<LaneId>);

impl Hop {
    /// The same instant.
    pub const NONE: Self = Self(None);
    /// Through a lane.
    #[must_use]
    pub fn through(lane: LaneId) -> Self {
        Self(Some(lane))
    }
    /// The lane, if there is a delay.
    #[must_use]
    pub fn lane(self) -> Option<LaneId> {
        self.0
    }
}

/// Deepest stack of frames: client, edge, regional cache, load balancer, and room to grow.
pub const MAX_FRAMES: usize = 5;

/// A request on its way: one attempt of a client's operation, one call of a task to a dependency, or one health check.
///
/// What belongs to the request itself is drawn from its own stream ([`Request::draws`]), so that it is the same in every
/// variant of a scenario, whatever route it takes.
#[derive(Clone, Debug)]
pub struct Request {
    /// Key of its random stream.
    pub stream: u64,
    /// Intended start of the operation (first attempt's arrival). For a call: when it was made.
    pub started: SimTime,
    /// When this attempt began.
    pub attempted: SimTime,
    /// When it joined the queue it is in or the station that serves it; the service's own use.
    pub joined: SimTime,
    /// When a load balancer handed it to its target; the load balancer's own use.
    pub forwarded: SimTime,
    /// CPU time of the step it is in, zero where it is in none; the task's own use.
    pub demand: SimDuration,
    /// The task that works on it or is to ([`Key::NONE`]: none, or any).
    pub target: TaskKey,
    /// Link in a queue of requests (a collapsed fetch's waiters, a pool's queue); the queueing service's own use.
    pub next: RequestKey,
    /// What is asked for.
    pub path: PathId,
    /// The object of the route's catalogue.
    pub object: u32,
    /// The client (user), numbered within its traffic source: whose cookies, DNS cache and connections. For a call: the slot
    /// of the calling task.
    pub client: u32,
    /// Size of the answer's body, bytes.
    pub bytes: u32,
    /// The route it counts for.
    pub route: RouteId,
    /// The traffic source it stems from (also for calls, inherited).
    pub traffic: TrafficId,
    /// Where the viewer is.
    pub place: PlaceId,
    /// For a call: which operation of the called service (index into its table). For the called service to read.
    pub operation: u16,
    /// For a call: which of its service's calls (index into the service's table); the calling service's own use.
    pub call: u16,
    /// The service whose task works on it ([`Request::NO_SERVER`]: none); the task's own use.
    pub server: u16,
    /// The catalogue the object is of ([`Request::NO_CATALOG`]: none).
    pub catalog: u16,
    /// Which of the route's query strings it carries.
    pub query_variant: u32,
    /// Which of the route's header values.
    pub header_variant: u16,
    /// Which of the route's cookie values.
    pub cookie_variant: u32,
    /// The connection it is on, numbered within its source; the client's own use.
    pub connection: u32,
    /// Stations it has been served by that sent it on to another; each has random numbers of its own.
    pub visits: u32,
    /// Number of this attempt, from 1.
    pub attempt: u16,
    /// The handler that works on it (index into the service's table), or why there is none; the task's own use.
    pub handler: u16,
    /// The next step of that handler; the task's own use.
    pub step: u8,
    /// Parallel calls still out; the task's own use.
    pub pending: u8,
    /// Tokens of the caller's retry quota that it cost, 0 for a first attempt; the caller's own use.
    pub retry_cost: u8,
    /// Whether it occupies a worker; the task's own use.
    pub holds_worker: bool,
    /// The caller has given up: serve it, but nobody waits.
    pub abandoned: bool,
    /// Work or health check.
    pub purpose: Purpose,
    /// Method.
    pub method: Method,
    /// Small state of the service that works on it at the moment (Aurora: which connection state; CloudFront: where the answer came from).
    pub state: u32,
    /// How it was answered, once it is.
    pub outcome: Outcome,
    depth: u8,
    frames: [Frame; MAX_FRAMES],
}

impl Request {
    /// [`Request::server`] of a request no task works on.
    pub const NO_SERVER: u16 = u16::MAX;
    /// [`Request::catalog`] of a request for no catalogue's object.
    pub const NO_CATALOG: u16 = u16::MAX;

    pub(crate) const BLANK: Self = Self {
        stream: 0,
        started: SimTime::ZERO,
        attempted: SimTime::ZERO,
        joined: SimTime::ZERO,
        forwarded: SimTime::ZERO,
        demand: SimDuration::ZERO,
        target: Key::NONE,
        next: Key::NONE,
        path: PathId(0),
        object: 0,
        client: 0,
        bytes: 0,
        route: RouteId(0),
        traffic: TrafficId(0),
        place: PlaceId(0),
        operation: 0,
        call: 0,
        server: Self::NO_SERVER,
        catalog: Self::NO_CATALOG,
        query_variant: 0,
        header_variant: 0,
        cookie_variant: 0,
        connection: crate::client::connections::NO_CONNECTION,
        visits: 0,
        attempt: 1,
        handler: 0,
        step: 0,
        pending: 0,
        retry_cost: 0,
        holds_worker: false,
        abandoned: false,
        purpose: Purpose::Work,
        method: Method::Get,
        state: 0,
        outcome: Outcome { status: 0, cause: Cause::None },
        depth: 0,
        frames: [Frame { holder: Holder::Client(TrafficId(0)), back: Hop::NONE }; MAX_FRAMES],
    };

    /// A new request with an empty stack but for whoever waits for it.
    #[must_use]
    pub fn new(stream: u64, now: SimTime, holder: Holder, back: Hop) -> Self {
        let mut request = Self::BLANK;
        request.renew(stream, now);
        request.push(holder, back);
        request
    }

    /// Makes a new request with an empty stack of one that is over, in its place.
    #[inline(always)]
    pub(crate) fn renew(&mut self, stream: u64, now: SimTime) {
        // Frames are written before they are read.
        let frames = self.frames;
        *self = Self { stream, started: now, attempted: now, joined: now, forwarded: now, frames, ..Self::BLANK };
    }

    /// A generator for one of this request's own quantities; `purpose` names the quantity (see [`purpose`]).
    #[must_use]
    pub fn draws(&self, purpose: u64) -> sim_core::random::Draws {
        sim_core::random::Draws::new(self.stream, purpose)
    }

    /// The same for a quantity that a request has anew at each station it visits.
    #[must_use]
    pub fn draws_of_visit(&self, purpose: u64) -> sim_core::random::Draws {
        self.draws(purpose | u64::from(self.visits) << 32)
    }

    /// Puts a holder on top: the reply will come to it.
    #[inline(always)]
    pub fn push(&mut self, holder: Holder, back: Hop) {
        assert!((self.depth as usize) < MAX_FRAMES, "validation bounds the depth of a request's way");
        self.frames[self.depth as usize] = Frame { holder, back };
        self.depth += 1;
    }
    /// The holder the reply will come to.
    #[must_use]
    pub fn top(&self) -> Frame {
        self.frames[self.depth as usize - 1]
    }
    /// Takes the top holder off, when it has the reply.
    pub fn pop(&mut self) -> Frame {
        self.depth -= 1;
        self.frames[self.depth as usize]
    }
    /// A copy with the top holder taken off, for a holder that answers in place of one that does not: the copy carries the
    /// answer to those below, the original is abandoned to the one that has it. See [`Request::detach_at`].
    #[must_use]
    pub fn detach(&mut self) -> Self {
        self.detach_at(self.depth as usize - 1)
    }
    /// The same for the holder at place `at` of the stack (see [`Request::place_of`]), which may have others above it.
    ///
    /// The original keeps that holder as its bottom and those above it: its late reply comes back to the holder, who finds
    /// [`Request::depth`] 0 and removes it. `abandoned` alone does not tell: a client that gave up sets it too, and then the
    /// request must still go all the way back.
    #[must_use]
    pub fn detach_at(&mut self, at: usize) -> Self {
        let mut copy = self.at_no_server();
        copy.depth = at as u8;
        self.frames.copy_within(at..self.depth as usize, 0);
        self.depth -= at as u8;
        self.abandoned = true;
        copy
    }
    /// Where in the stack (0 = bottom) the topmost holder is that answers to a description.
    #[must_use]
    pub fn place_of(&self, is: impl Fn(Holder) -> bool) -> Option<usize> {
        self.frames[..self.depth as usize].iter().rposition(|frame| is(frame.holder))
    }
    /// The holder at a place of the stack (0 = bottom).
    #[must_use]
    pub fn holder_at(&self, place: usize) -> Holder {
        self.frames[place].holder
    }
    /// A copy that nobody waits for yet.
    #[must_use]
    pub fn without_frames(&self) -> Self {
        let mut copy = self.at_no_server();
        (copy.depth, copy.abandoned, copy.next) = (0, false, Key::NONE);
        copy
    }
    /// A copy that has nothing of a server: what the original works on, and with which worker, is the original's.
    fn at_no_server(&self) -> Self {
        Self { server: Self::NO_SERVER, holds_worker: false, demand: SimDuration::ZERO, ..self.clone() }
    }
    /// Sets the way back to the bottom holder (known once the first hop is).
    pub fn set_bottom_hop(&mut self, back: Hop) {
        self.frames[0].back = back;
    }
    /// Whoever waits for the reply in the end.
    #[must_use]
    pub fn bottom(&self) -> Holder {
        self.frames[0].holder
    }
    /// Whether a client waits for the reply, not a calling task or a health checker.
    #[must_use]
    pub fn is_from_client(&self) -> bool {
        matches!(self.bottom(), Holder::Client(_))
    }
    /// Number of holders.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth as usize
    }
}

/// Purposes of a request's own draws. Steps and calls add their number, so each has a stream of its own.
pub mod purpose {
    /// What the client asks for, in this order: client, route, query string, header, object.
    pub const ASKED: u64 = 1;
    /// Back-off jitter.
    pub const BACKOFF: u64 = 5;
    /// Think time.
    pub const THINK: u64 = 6;
    /// Choice among weighted answers or target groups.
    pub const CHOICE: u64 = 7;
    /// Whether the target answers with its own error.
    pub const ERROR: u64 = 8;
    /// Service demand at a station or of a statement.
    pub const SERVICE: u64 = 9;
    /// Second demand of a statement (elapsed, no CPU).
    pub const WAIT: u64 = 10;
    /// Key of an item.
    pub const ITEM: u64 = 11;
    /// How long it is willing to wait at a station.
    pub const PATIENCE: u64 = 12;
    /// Where a station sends it on to.
    pub const ROUTING: u64 = 13;
    /// Time of a cache's engine for a command.
    pub const COMMAND: u64 = 14;
    /// Whether it is in a cache whose hit ratio is given.
    pub const HIT: u64 = 15;
    /// How long an item lives in a cache.
    pub const TIME_TO_LIVE: u64 = 16;
    /// How far a replica of a cache is behind.
    pub const LAG: u64 = 17;
    /// Time and fate of the functions of a distribution's behaviour.
    pub const VIEWER_REQUEST: u64 = 20;
    /// See [`VIEWER_REQUEST`].
    pub const VIEWER_RESPONSE: u64 = 21;
    /// See [`VIEWER_REQUEST`].
    pub const ORIGIN_REQUEST: u64 = 22;
    /// See [`VIEWER_REQUEST`].
    pub const ORIGIN_RESPONSE: u64 = 23;
    /// Whether it comes without TLS.
    pub const SCHEME: u64 = 24;
    /// Where an accelerator sends it.
    pub const ACCELERATOR: u64 = 27;
    /// Stream of a fetch that renews a stale copy.
    pub const REVALIDATION: u64 = 25;
    /// Stream of another attempt at an origin.
    pub const AGAIN: u64 = 26;
    /// Stream of the same attempt sent a second time.
    pub const HEDGE: u64 = 1 << 18;
    /// Step `n` of a handler: its demand at `STEP + 2n`, its probability at `STEP + 2n + 1`.
    pub const STEP: u64 = 1 << 16;
    /// Stream of call `n` of a handler.
    pub const CALL: u64 = 1 << 17;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a copy that is sent to another task, and has to wait there, would give back a worker that it never had.
    #[test]
    fn a_copy_has_neither_the_worker_nor_the_demand_of_its_original() {
        let mut request = Request::BLANK;
        request.push(Holder::Client(TrafficId(0)), Hop::NONE);
        (request.server, request.holds_worker, request.demand) = (3, true, SimDuration::from_nanos(5));
        for copy in [request.without_frames(), request.detach()] {
            assert_eq!((copy.server, copy.holds_worker, copy.demand), (Request::NO_SERVER, false, SimDuration::ZERO));
        }
        assert_eq!((request.server, request.holds_worker, request.demand), (3, true, SimDuration::from_nanos(5)));
    }
}
