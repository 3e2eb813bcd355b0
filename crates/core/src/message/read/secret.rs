//! What ECS fetches for a container (secrets, registry credentials), and where its output goes.

use std::collections::{BTreeMap, BTreeSet};

use super::container::variable_name;
use super::{Rejection, check_chars, limits};
use crate::container::{LogDriver, Secret};
use crate::message::path::At;
use crate::message::shape::{self, LogConfiguration, RepositoryCredentials};

/// Secret variables; none has the name of another variable.
pub(super) fn variables(
    at: &At<'_>,
    list: Option<Vec<shape::Secret>>,
    environment: &[(String, String)],
) -> Result<Vec<Secret>, Rejection> {
    let secrets = secrets(at, list)?;
    for (index, secret) in secrets.iter().enumerate() {
        let at = at.index(index);
        variable_name(&at.key("name"), &secret.name)?;
        if environment.iter().any(|(name, _)| *name == secret.name) {
            let what = format!("{:?} is a plain variable too", secret.name);
            return Err(Rejection::invalid(&at.key("name"), &what).hint("keep one of the two"));
        }
    }
    Ok(secrets)
}

fn secrets(at: &At<'_>, list: Option<Vec<shape::Secret>>) -> Result<Vec<Secret>, Rejection> {
    let mut names = BTreeSet::new();
    let mut secrets = Vec::new();
    for (index, written) in list.unwrap_or_default().into_iter().enumerate() {
        let at = at.index(index);
        let (at_name, at_value) = (at.key("name"), at.key("valueFrom"));
        let name = written.name.ok_or_else(|| Rejection::missing(&at_name))?;
        let value_from = written.value_from.ok_or_else(|| Rejection::missing(&at_value))?;
        check_chars(&at_name, &name, 1, limits::ARN_CHARS_MAX)?;
        check_reference(&at_value, &value_from)?;
        if !names.insert(name.clone()) {
            return Err(Rejection::invalid(&at_name, &format!("{name:?} is set twice"))
                .hint("keep one of the two"));
        }
        secrets.push(Secret { name, value_from });
    }
    Ok(secrets)
}

/// An ARN, or a parameter's name.
fn check_reference(at: &At<'_>, text: &str) -> Result<(), Rejection> {
    check_chars(at, text, 1, limits::ARN_CHARS_MAX)?;
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Rejection::invalid(at, &format!("{text:?} names no secret and no parameter")).hint(
        "it is the ARN of a secret of Secrets Manager or of a parameter, or a parameter's name",
    ))
}

/// The secret with which the image is pulled.
pub(super) fn credentials(
    at: &At<'_>,
    written: Option<RepositoryCredentials>,
) -> Result<Option<String>, Rejection> {
    let Some(written) = written else { return Ok(None) };
    let at = at.key("credentialsParameter");
    let secret = written.credentials_parameter.ok_or_else(|| Rejection::missing(&at))?;
    check_reference(&at, &secret)?;
    Ok(Some(secret))
}

/// Where the output goes.
#[derive(Debug, Default)]
pub(super) struct Logs {
    pub(super) driver: LogDriver,
    pub(super) options: BTreeMap<String, String>,
    pub(super) secrets: Vec<Secret>,
}

/// What a container says of its output. `has_router` if another one of its task routes logs.
pub(super) fn logs(
    at: &At<'_>,
    configuration: Option<LogConfiguration>,
    has_router: bool,
) -> Result<Logs, Rejection> {
    let Some(configuration) = configuration else { return Ok(Logs::default()) };
    let at_driver = at.key("logDriver");
    let driver = match configuration.log_driver {
        Some(shape::LogDriver::Awslogs) => LogDriver::Awslogs,
        Some(shape::LogDriver::JsonFile) => LogDriver::JsonFile,
        Some(shape::LogDriver::Syslog) => LogDriver::Syslog,
        Some(shape::LogDriver::Journald) => LogDriver::Journald,
        Some(shape::LogDriver::Gelf) => LogDriver::Gelf,
        Some(shape::LogDriver::Fluentd) => LogDriver::Fluentd,
        Some(shape::LogDriver::Splunk) => LogDriver::Splunk,
        Some(shape::LogDriver::Awsfirelens) if has_router => LogDriver::Awsfirelens,
        Some(shape::LogDriver::Awsfirelens) => {
            return Err(Rejection::invalid(&at_driver, "no other container routes its logs").hint(
                "one of the task's containers needs a firelensConfiguration (ecsProperties); or \
                 say \"awslogs\"",
            ));
        }
        None => return Err(Rejection::missing(&at_driver)),
    };
    let options = configuration.options.unwrap_or_default();
    let at_secrets = at.key("secretOptions");
    let secrets = secrets(&at_secrets, configuration.secret_options)?;
    if let Some(index) = secrets.iter().position(|secret| options.contains_key(&secret.name)) {
        let at = at_secrets.index(index);
        return Err(Rejection::invalid(&at.key("name"), "is a plain option too")
            .hint("keep one of the two"));
    }
    Ok(Logs { driver, options, secrets })
}
