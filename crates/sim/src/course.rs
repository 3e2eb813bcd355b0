//! The course of a task of several containers: when each starts and ends, from how each behaves and what it waits for. Pure.
//!
//! All images are there before the task runs, so a course counts from the task's start. ECS sends SIGTERM to the rest when the
//! first essential container ends.

use jiff::SignedDuration;
use spillway_core::task_spec::{ContainerCondition, ContainerEnd, ContainerRole, TaskSpec};

use crate::behaviour::Behaviour;

/// The exit codes of a container that SIGTERM, and that SIGKILL ended.
const TERMINATED: i32 = 143;
const KILLED: i32 = 137;

/// What is killed for memory says so.
pub(crate) const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";

/// A container whose course is known.
#[derive(Debug, Clone)]
struct Member {
    name: String,
    essential: bool,
    behaviour: Behaviour,
    /// When it starts, if what it waits for lets it.
    starts: Option<SignedDuration>,
    /// When it ends by itself.
    ends: Option<SignedDuration>,
    /// That it waits for a success that will never be.
    is_hopeless: bool,
}

/// The course of a task, if nobody stops it.
#[derive(Debug, Clone)]
pub struct Course {
    task: TaskSpec,
    members: Vec<Member>,
    /// When the first essential container ends, and with it the task.
    end: Option<SignedDuration>,
}

impl Course {
    /// The course of containers that behave so, in the order of [`TaskSpec::roles`].
    pub(crate) fn of(task: &TaskSpec, behaviours: Vec<Behaviour>) -> Self {
        let roles: Vec<&ContainerRole> = task.roles().collect();
        let mut members: Vec<Member> = roles
            .iter()
            .zip(behaviours)
            .map(|(role, behaviour)| Member {
                name: role.name.clone(),
                essential: role.essential,
                behaviour,
                starts: None,
                ends: None,
                is_hopeless: false,
            })
            .collect();
        // Each round settles at least one more container, or none is left that ever starts.
        for _ in 0..members.len() {
            for (index, role) in roles.iter().enumerate() {
                let settled = when(role, &members);
                let Some(member) = members.get_mut(index) else { continue };
                match settled {
                    When::At(at) => {
                        member.starts = Some(at);
                        member.ends = member.behaviour.run.map(|run| at + run);
                    }
                    When::Never => member.is_hopeless = true,
                    When::NotKnown => {}
                }
            }
        }
        let end_of = |member: &Member| {
            if member.is_hopeless { hopeless_since(&roles, member, &members) } else { member.ends }
        };
        let end = members.iter().filter(|member| member.essential).filter_map(end_of).min();
        Self { task: task.clone(), members, end }
    }

    /// When the task ends by itself; none is never.
    pub const fn end(&self) -> Option<SignedDuration> {
        self.end
    }

    /// How each container ended if the task stopped then. Whoever ran on was told to stop at that moment.
    pub fn ends(&self, at: SignedDuration) -> Vec<ContainerEnd> {
        self.members.iter().map(|member| member.end(at)).collect()
    }

    /// The one of these ends that decides over the job's.
    pub fn decisive<'a>(&self, ends: &'a [ContainerEnd]) -> Option<&'a ContainerEnd> {
        self.task.decisive(ends)
    }
}

impl Member {
    fn end(&self, at: SignedDuration) -> ContainerEnd {
        let has_ended = self.ends.is_some_and(|end| end <= at);
        let has_started = self.starts.is_some_and(|start| start <= at);
        let exit_code = match (has_started, has_ended) {
            (false, _) => None,
            (true, true) if self.behaviour.oom => Some(KILLED),
            (true, true) => Some(self.behaviour.exit_code),
            (true, false) if self.behaviour.ignores_sigterm => Some(KILLED),
            (true, false) => Some(TERMINATED),
        };
        let is_oom = has_ended && self.behaviour.oom;
        let reason = is_oom.then(|| OUT_OF_MEMORY.to_owned());
        ContainerEnd { name: self.name.clone(), exit_code, reason }
    }

    fn succeeds(&self) -> bool {
        self.behaviour.exit_code == 0 && !self.behaviour.oom
    }
}

/// When a container starts, as far as that is known of what it waits for.
enum When {
    At(SignedDuration),
    Never,
    NotKnown,
}

fn when(role: &ContainerRole, members: &[Member]) -> When {
    let mut latest = SignedDuration::ZERO;
    for dependency in &role.depends_on {
        let Some(other) = members.iter().find(|other| other.name == dependency.container) else {
            return When::NotKnown;
        };
        let needs_success = dependency.condition == ContainerCondition::Success;
        if needs_success && other.ends.is_some() && !other.succeeds() {
            return When::Never;
        }
        let met = match dependency.condition {
            ContainerCondition::Start => other.starts,
            ContainerCondition::Complete | ContainerCondition::Success => other.ends,
        };
        match met {
            Some(at) => latest = latest.max(at),
            None if other.is_hopeless => return When::Never,
            None => return When::NotKnown,
        }
    }
    When::At(latest)
}

/// Since when a container cannot start any more: the first failure of what it waits for.
fn hopeless_since(
    roles: &[&ContainerRole],
    member: &Member,
    members: &[Member],
) -> Option<SignedDuration> {
    let role = roles.iter().find(|role| role.name == member.name)?;
    let failures = role.depends_on.iter().filter_map(|dependency| {
        let other = members.iter().find(|other| other.name == dependency.container)?;
        if other.is_hopeless {
            return hopeless_since(roles, other, members);
        }
        let needs_success = dependency.condition == ContainerCondition::Success;
        other.ends.filter(|_| needs_success && !other.succeeds())
    });
    failures.min()
}

#[cfg(test)]
mod tests {
    use spillway_core::container::ContainerSpec;
    use spillway_core::quantity::Resources;
    use spillway_core::task_spec::{ContainerDependency, TaskContainer};

    use super::*;

    fn secs(secs: i64) -> SignedDuration {
        SignedDuration::from_secs(secs)
    }

    fn role(name: &str, essential: bool, waits: &[(&str, ContainerCondition)]) -> ContainerRole {
        let dependency = |(on, condition): &(&str, ContainerCondition)| ContainerDependency {
            container: (*on).to_owned(),
            condition: *condition,
        };
        ContainerRole {
            name: name.to_owned(),
            essential,
            depends_on: waits.iter().map(dependency).collect(),
            start_timeout_secs: None,
            stop_timeout_secs: None,
            firelens: None,
        }
    }

    /// `main` waits for the success of `fetch`; `proxy` runs until it is stopped.
    fn course(fetch: Behaviour, main: Behaviour) -> Course {
        let other = |role| TaskContainer {
            role,
            resources: Resources::ZERO,
            container: ContainerSpec::new("x"),
        };
        let task = TaskSpec {
            main: role("main", true, &[("fetch", ContainerCondition::Success)]),
            main_at: 0,
            others: vec![
                other(role("fetch", false, &[])),
                other(role("proxy", false, &[("main", ContainerCondition::Start)])),
            ],
            ipc: None,
            pid: None,
        };
        let proxy = Behaviour { run: None, ..Behaviour::exits(secs(0), 0) };
        Course::of(&task, vec![main, fetch, proxy])
    }

    fn codes(course: &Course, at: i64) -> Vec<Option<i32>> {
        course.ends(secs(at)).into_iter().map(|end| end.exit_code).collect()
    }

    #[test]
    fn containers_run_one_after_the_other_and_the_essential_one_ends_the_task() {
        let course = course(Behaviour::exits(secs(10), 0), Behaviour::exits(secs(30), 3));

        assert_eq!(course.end(), Some(secs(40)));
        assert_eq!(codes(&course, 40), [Some(3), Some(0), Some(143)]);
        assert_eq!(codes(&course, 5), [None, Some(143), None], "stopped while it fetched");
    }

    #[test]
    fn a_container_whose_dependency_fails_never_runs_and_the_task_ends() {
        let course = course(Behaviour::exits(secs(10), 7), Behaviour::exits(secs(30), 0));

        assert_eq!(course.end(), Some(secs(10)));
        let ends = course.ends(secs(10));
        assert_eq!(codes(&course, 10), [None, Some(7), None]);
        assert_eq!(course.decisive(&ends).unwrap().name, "fetch");
    }
}
