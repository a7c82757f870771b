//! Plain stations.

use crate::decode::{Named, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::units::{Bytes, Rate, Share, Time};

table! {
    /// A plain station: a textbook queue, or a dependency that is no AWS service.
    Station as "[station]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to viewers and to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// Servers (fifo) or cores (processor_sharing).
        optional("any number: a pure delay", "assumption") servers: Sp<u32>,
        /// Requests that may wait; one more is turned away. M/M/c/K has room K - c.
        optional("any number", "assumption") room: Sp<u32>,
        /// First come, first served, or all at once with the cores shared.
        default("fifo", "assumption") discipline: Sp<Discipline>,
        /// Processor sharing: most requests that share the cores at once. More wait, first come first served, as far as there is
        /// `room`.
        optional("any number", "assumption") limit: Sp<u32>,
        /// Service time.
        required service: Sp<TimeDist>,
        /// Service times of other kinds of requests, by name; callers say "station.desk.NAME".
        default({}, "none") classes: Named<Sp<TimeDist>>,
        /// How many requests it takes at most; what is beyond that is answered 429, cause throttled.
        optional("no limit", "assumption") rate_limit: RateLimit,
        /// How long a request waits before it gives up; it then fails with 503, cause gave_up_waiting. Who is served stays.
        optional("as long as it takes", "assumption") patience: Sp<TimeDist>,
        /// How its servers fail. First come first served only.
        optional("they never do", "assumption") breakdown: Breakdown,
        /// Copies it keeps of another station's answers: a session store, a page cache. Not together with `then`.
        optional("it answers everything itself", "assumption") cache: Cache,
        /// Stations that requests go on to after service, by probability; the rest are answered. A station may send requests
        /// back to itself.
        default([], "all are answered") then: Sp<Vec<Then>>,
        /// Size of an answer where no catalogue says.
        default("1KB", "assumption") response_size: Sp<Bytes>,
    }
}

choice! {
    /// How waiting requests are served.
    Discipline {
        /// First come, first served.
        Fifo = "fifo",
        /// All at once, sharing the cores.
        ProcessorSharing = "processor_sharing",
    } not ["lifo", "random", "priority"]
}

table! {
    /// A limit of the rate at which requests are taken: a token bucket, full at the start.
    RateLimit as "rate_limit of a station" {
        /// Requests a second in the long run.
        required rate: Sp<Rate>,
        /// How many requests are taken at once after a pause: what the bucket holds.
        default(1, "assumption: none in advance") burst: Sp<u32>,
    }
}

table! {
    /// Copies of another station's answers. A request is served by the station, then gets the copy; what is not there is asked for
    /// at the origin, and kept. GET and HEAD only.
    Cache as "cache of a station" {
        /// Who is asked for what is not there: "station.database".
        required origin: Sp<String>,
        /// Room for copies; the least recently used make room for new ones. A copy takes at least 64 bytes.
        default("1GB", "assumption") capacity: Sp<Bytes>,
        /// How long a copy is given.
        required ttl: Sp<Time>,
        /// From when that counts.
        default("fixed", "Redis, EXPIRE: reading a key does not change its time to live") renewal: Sp<Renewal>,
        /// Round trip to the origin.
        optional("network.region_rtt", "see network.region_rtt") rtt: Sp<Time>,
    }
}

choice! {
    /// From when a copy's time to live counts.
    Renewal {
        /// From when it was made.
        Fixed = "fixed",
        /// From when it was last asked for, as sessions do (Redis, GETEX).
        Sliding = "sliding",
    } not ["stale_while_revalidate"]
}

table! {
    /// How the servers of a station fail and are repaired: each on its own, whether busy or not, all working at the start.
    Breakdown as "breakdown of a station" {
        /// From the start or a repair until a server fails.
        required time_to_failure: Sp<TimeDist>,
        /// From a failure until the server works again.
        required repair_time: Sp<TimeDist>,
        /// What becomes of the request a server works on when it fails.
        default("resume", "assumption") on_failure: Sp<OnFailure>,
        /// While fewer servers than this are up, requests are refused (503, cause server_down), and health checks fail. The counter
        /// `availability` is the share of time in which enough are up.
        optional("requests wait; available while any server is up", "assumption") quorum: Sp<u32>,
    }
}

choice! {
    /// What becomes of a request whose server fails.
    OnFailure {
        /// It stays with its server, which goes on where it was once it is repaired.
        Resume = "resume",
        /// It fails (500, cause server_down).
        Lose = "lose",
    } not ["restart", "reassign"]
}

table! {
    /// A station that requests go on to.
    Then as "an entry of `then`" {
        /// The station: "station.desk".
        required to: Sp<String>,
        /// Share of the requests.
        default("100%", "all of them") probability: Sp<Share>,
    }
}
