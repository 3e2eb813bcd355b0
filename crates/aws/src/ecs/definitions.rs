//! Which task definitions are registered. Each content is looked up or registered once, however many starts wait for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{Tag, TaskDefinitionStatus};
use spillway_core::CloudError;
use spillway_core::effect::CallResult;
use spillway_core::id::DeploymentName;
use tokio::sync::OnceCell;
use tracing::info;

use super::definition::Definition;
use super::turns::Turns;
use crate::call;
use crate::codes::{self, Kind};
use crate::ec2::TAG_DEPLOYMENT;
use crate::limits;

/// ARNs by family. A family's name is the hash of its content.
#[derive(Debug)]
pub(super) struct Definitions {
    client: Client,
    deployment: DeploymentName,
    known: Mutex<BTreeMap<String, Arc<OnceCell<String>>>>,
    /// Of `RegisterTaskDefinition`.
    turns: Turns,
}

impl Definitions {
    pub(super) const fn new(client: Client, deployment: DeploymentName) -> Self {
        let turns = Turns::new(limits::REGISTER_BURST, limits::REGISTER_EVERY);
        Self { client, deployment, known: Mutex::new(BTreeMap::new()), turns }
    }

    /// The ARN of the family's active revision.
    pub(super) async fn find_or_register(
        &self,
        family: &str,
        definition: &Definition,
    ) -> CallResult<String> {
        let cell = self.cell(family);
        let arn = cell.get_or_try_init(|| async {
            match self.find(family).await? {
                Some(arn) => Ok(arn),
                None => self.register(family, definition).await,
            }
        });
        arn.await.cloned()
    }

    /// Believes no longer that the family has an active revision.
    pub(super) fn forget(&self, family: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(family);
    }

    fn cell(&self, family: &str) -> Arc<OnceCell<String>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(family.to_owned()).or_default())
    }

    /// ECS describes the newest active revision of a family. For a family without one it has no code of its own.
    async fn find(&self, family: &str) -> CallResult<Option<String>> {
        let answer = self.client.describe_task_definition().task_definition(family).send().await;
        match answer {
            Ok(answer) => Ok(answer.task_definition.and_then(|found| {
                let is_active = found.status == Some(TaskDefinitionStatus::Active);
                found.task_definition_arn.filter(|_| is_active)
            })),
            Err(error) => {
                let is_unknown =
                    call::code_of(&error).is_some_and(|code| codes::kind(code) == Kind::Invalid);
                if is_unknown {
                    Ok(None)
                } else {
                    Err(call::sort("ecs:DescribeTaskDefinition", &error))
                }
            }
        }
    }

    async fn register(&self, family: &str, definition: &Definition) -> CallResult<String> {
        const ACTION: &str = "ecs:RegisterTaskDefinition";
        let tag = Tag::builder().key(TAG_DEPLOYMENT).value(self.deployment.as_str()).build();
        let Some(wait) = self.turns.take(Instant::now(), limits::REGISTER_WAIT_MAX) else {
            let detail = "as many task definitions are being registered as ECS takes".to_owned();
            return Err(call::cloud_error(Kind::Throttled, ACTION, detail));
        };
        tokio::time::sleep(wait).await;
        let answer = definition.input().tags(tag).send_with(&self.client).await;
        let answer = answer.map_err(|error| call::sort(ACTION, &error)).inspect_err(|error| {
            if matches!(error, CloudError::Throttled { .. }) {
                self.turns.empty(Instant::now());
            }
        })?;
        let arn = answer.task_definition.and_then(|made| made.task_definition_arn);
        info!(family, "registered a task definition");
        arn.ok_or_else(|| {
            call::cloud_error(Kind::Unsettled, ACTION, "the answer names no definition".to_owned())
        })
    }
}
