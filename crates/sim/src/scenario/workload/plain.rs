//! The plainest group there is, for whoever says but a few things of it.

use jiff::SignedDuration;
use spillway_core::{JobName, QueueName, Scheduling};

use super::{Arrival, JobGroup, Size};
use crate::scenario::duration::Distribution;
use crate::scenario::estimate::Estimate;
use crate::setting::{Chance, Spread};

impl JobGroup {
    /// One job that is sent at once, runs for exactly so long, says so, and exits with 0.
    pub fn plain(name: JobName, queue: QueueName, size: Size, ran: SignedDuration) -> Self {
        Self {
            name,
            count: 1,
            queue,
            image: "busybox:1.36".to_owned(),
            command: None,
            sizes: vec![size],
            architecture: None,
            gpu_kinds: Vec::new(),
            market: None,
            duration: Distribution::Even(Spread { min: ran, max: ran }),
            estimate: Estimate::Exact,
            exits: Vec::new(),
            oom: Chance::NEVER,
            ignores_sigterm: Chance::NEVER,
            attempts: None,
            timeout: None,
            resend: Chance::NEVER,
            cancel: Chance::NEVER,
            terminate: Chance::NEVER,
            end_after: Spread::of_secs(0, 0),
            arrival: Arrival::default(),
            array: None,
            coalesce: None,
            variants: Vec::new(),
            nodes: None,
            after: Vec::new(),
            scheduling: Scheduling::default(),
        }
    }
}
