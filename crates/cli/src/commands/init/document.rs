//! The template and the policies, as this binary carries them.

use clap::ValueEnum;

/// The CloudFormation template.
pub(super) const TEMPLATE: &str = include_str!("../../../../../infra/spillway.yaml");

/// A policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    /// What `spillway serve` calls
    Dispatcher,
    /// What `spillway init` calls
    Installer,
    /// What `spillway doctor` calls, run by a person
    Doctor,
    /// What `spillway plan` calls, run by a person
    Plan,
    /// Sends jobs
    Producer,
    /// The ECS agent on every host
    Host,
    /// The task execution role
    Execution,
    /// A part of the dispatcher's: hands the execution role to tasks
    PassExecutionRole,
    /// A part of the dispatcher's: hands the roles that jobs name to tasks
    PassJobRoles,
    /// A part of the execution role's: secrets of the Secrets Manager
    ReadSecrets,
    /// A part of the dispatcher's: tells a queue, a topic or a bus what becomes of jobs
    TellJobEvents,
    /// A part of the execution role's: parameters of the Parameter Store
    ReadParameters,
    /// Beside the dispatcher's, for a ledger that is a table
    KeepLedger,
    /// Beside the dispatcher's, for children of arrays that share tasks
    ReadReports,
    /// Whoever reads a ledger that is a table
    Reader,
    /// Whoever runs `spillway logs`
    ReadLogs,
}

/// A policy with the deployment's name in it. What else differs between accounts stays as a placeholder: `${partition}`,
/// `${region}`, `${account}`.
pub(super) fn policy(name: PolicyName, deployment: &str) -> String {
    let text = match name {
        PolicyName::Dispatcher => include_str!("../../../../../infra/policies/dispatcher.json"),
        PolicyName::Installer => include_str!("../../../../../infra/policies/installer.json"),
        PolicyName::Doctor => include_str!("../../../../../infra/policies/doctor.json"),
        PolicyName::Plan => include_str!("../../../../../infra/policies/plan.json"),
        PolicyName::Producer => include_str!("../../../../../infra/policies/producer.json"),
        PolicyName::Host => include_str!("../../../../../infra/policies/host.json"),
        PolicyName::Execution => include_str!("../../../../../infra/policies/execution.json"),
        PolicyName::PassExecutionRole => {
            include_str!("../../../../../infra/policies/pass-execution-role.json")
        }
        PolicyName::PassJobRoles => {
            include_str!("../../../../../infra/policies/pass-job-roles.json")
        }
        PolicyName::TellJobEvents => {
            include_str!("../../../../../infra/policies/tell-job-events.json")
        }
        PolicyName::ReadSecrets => include_str!("../../../../../infra/policies/read-secrets.json"),
        PolicyName::ReadParameters => {
            include_str!("../../../../../infra/policies/read-parameters.json")
        }
        PolicyName::KeepLedger => include_str!("../../../../../infra/policies/keep-ledger.json"),
        PolicyName::ReadReports => include_str!("../../../../../infra/policies/read-reports.json"),
        PolicyName::Reader => include_str!("../../../../../infra/policies/reader.json"),
        PolicyName::ReadLogs => include_str!("../../../../../infra/policies/read-logs.json"),
    };
    text.replace("${deployment}", deployment)
}

/// The names of the template's parameters: the keys two spaces deep between `Parameters:` and the next section.
pub(super) fn parameters() -> Vec<&'static str> {
    let from_section = TEMPLATE.lines().skip_while(|line| *line != "Parameters:").skip(1);
    let section = from_section.take_while(|line| line.is_empty() || line.starts_with(' '));
    let key = |line: &'static str| {
        let key = line.strip_prefix("  ")?.strip_suffix(':')?;
        (!key.starts_with(' ')).then_some(key)
    };
    section.filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CloudFormation's limit of a template in a call, in bytes.
    const BODY_MAX: usize = 51_200;

    #[test]
    fn the_template_fits_into_a_call_and_its_parameters_are_read_from_it() {
        let names = parameters();

        assert!(TEMPLATE.len() <= BODY_MAX, "{}", TEMPLATE.len());
        assert!(names.contains(&"Deployment") && names.contains(&"MessageAgeSeconds"), "{names:?}");
        assert!(names.iter().all(|name| name.chars().all(char::is_alphanumeric)), "{names:?}");
    }

    #[test]
    fn every_policy_file_can_be_printed_and_names_the_deployment() {
        for name in PolicyName::value_variants() {
            let text = policy(*name, "batch-7");
            assert!(!text.contains("${deployment}"), "{name:?}");
            let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(parsed["Statement"].is_array(), "{name:?}");
        }
        assert!(policy(PolicyName::Producer, "batch-7").contains(":batch-7-jobs"));
    }
}
