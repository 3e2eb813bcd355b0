//! Tasks that children of an array share.

use jiff::Timestamp;
use spillway_core::effect::{CallResult, TaskRequest};
use spillway_core::{JobId, TaskArn};

use super::SimCloud;
use crate::behaviour::Behaviour;
use crate::shared::SharedLog;

impl SimCloud {
    /// How a task behaves, and what its log will say if children share it.
    pub(super) fn shared(
        &mut self,
        now: Timestamp,
        request: &TaskRequest,
        behaviour: Behaviour,
    ) -> (Behaviour, Option<Box<SharedLog>>) {
        let Some(plan) = &request.runner else { return (behaviour, None) };
        let lag = self.log_lag(now, request);
        let of_child = |child: JobId| {
            let told = self.behaviours.get(&child).cloned();
            told.unwrap_or_else(|| Behaviour::of(&request.spec, child, self.dice))
        };
        let log = SharedLog::of(plan, of_child, lag);
        let ignores_sigterm = plan
            .children
            .iter()
            .any(|child| of_child(plan.array.child(child.index)).ignores_sigterm);
        let end = log.end();
        let behaviour = Behaviour {
            run: end.map(|(last, _)| last),
            exit_code: end.map_or(0, |(_, code)| code),
            oom: false,
            ignores_sigterm,
            ..behaviour
        };
        (behaviour, Some(Box::new(log)))
    }

    /// `GetLogEvents` of a task that children share.
    pub fn report(&mut self, now: Timestamp, arn: &TaskArn) -> CallResult<Vec<String>> {
        self.calling(now, "logs:GetLogEvents", |cloud| Ok(cloud.ecs.read_log(now, arn)))
    }
}
