//! Plain stations.

use crate::decode::{Named, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::units::Bytes;

table! {
    /// A plain station: a textbook queue, or a dependency that is no AWS service.
    Station as "[station]" {
        /// Servers (fifo) or cores (processor_sharing).
        optional("any number: a pure delay", "assumption") servers: Sp<u32>,
        /// Requests that may wait; one more is turned away. M/M/c/K has room K - c.
        optional("any number", "assumption") room: Sp<u32>,
        /// First come, first served, or all at once with the cores shared.
        default("fifo", "assumption") discipline: Sp<Discipline>,
        /// Service time.
        required service: Sp<TimeDist>,
        /// Service times of other kinds of requests, by name; callers say "station.desk.NAME".
        default({}, "none") classes: Named<Sp<TimeDist>>,
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
