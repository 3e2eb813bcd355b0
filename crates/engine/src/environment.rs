//! What a task is started with beyond its definition: the variables that tell a container about itself. AWS Batch's names, and
//! ours beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_core::{AttemptOrd, Job, JobSpec};

use crate::engine::Engine;

/// A job's words for the start of its live attempt: those of the alternative it runs, with more memory than was asked for at
/// first if the job wants that.
pub(crate) fn spec_to_run(job: &Job) -> Arc<JobSpec> {
    let resources = job.held();
    if resources == job.spec.resources && job.spec.variants.is_none() {
        return Arc::clone(&job.spec);
    }
    Arc::new(JobSpec { resources, ..job.spec.as_variant(job.variant()).into_owned() })
}

impl Engine {
    /// What every container is told about itself: AWS Batch's names, and ours. None of a node whose main node's address is not
    /// known.
    pub(crate) fn environment(
        &self,
        job: &Job,
        ord: AttemptOrd,
    ) -> Option<BTreeMap<String, String>> {
        let gang = job.spec.gang.as_deref();
        let node = gang.map(|gang| job.id.node_index().unwrap_or(gang.main));
        let id = node.map_or(job.id, |node| job.id.whole().node(node)).to_string();
        let queue = job.spec.queue.to_string();
        // Batch counts an attempt when it reaches RUNNING; one that failed through the infrastructure is not counted here.
        let counting = self.jobs.get(&job.id.whole()).filter(|_| gang.is_some());
        let attempt = counting.map_or(job, AsRef::as_ref).n_counted_attempts() + 1;
        let variables = [
            ("AWS_BATCH_JOB_ID", id.clone()),
            ("AWS_BATCH_JOB_ATTEMPT", attempt.to_string()),
            ("AWS_BATCH_JQ_NAME", queue.clone()),
            ("SPILLWAY_JOB_ID", id),
            ("SPILLWAY_JOB_NAME", job.spec.name.to_string()),
            ("SPILLWAY_JOB_QUEUE", queue),
            ("SPILLWAY_ATTEMPT", ord.to_string()),
        ];
        let mut environment: BTreeMap<String, String> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if job.spec.variants.is_some() {
            environment.insert("SPILLWAY_VARIANT".to_owned(), job.variant().to_string());
        }
        let mut of_both: Vec<(&str, String)> = Vec::new();
        if let (Some(index), Some(array)) = (job.id.index(), &job.spec.array) {
            of_both.push(("ARRAY_INDEX", index.to_string()));
            of_both.push(("ARRAY_SIZE", array.indexes.size.to_string()));
        }
        if let (Some(gang), Some(node)) = (gang, node) {
            of_both.push(("NODE_INDEX", node.to_string()));
            of_both.push(("NUM_NODES", gang.n_nodes().to_string()));
            of_both.push(("MAIN_NODE_INDEX", gang.main.to_string()));
            if node != gang.main {
                let address = self.main_address(job.id)?;
                of_both.push(("MAIN_NODE_PRIVATE_IPV4_ADDRESS", address.to_string()));
            }
        }
        for (name, value) in of_both {
            environment.insert(format!("AWS_BATCH_JOB_{name}"), value.clone());
            environment.insert(format!("SPILLWAY_{name}"), value);
        }
        Some(environment)
    }
}
