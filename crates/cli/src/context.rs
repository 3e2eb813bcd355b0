//! What every verb is given: the flags, the way out, and the configuration, which is read only when asked for.

use std::sync::OnceLock;

use crate::args::GlobalArgs;
use crate::config::{self, Config, ConfigError, Environment, Resolved};
use crate::output::Output;

/// What every verb is given.
#[derive(Debug)]
pub struct Context {
    /// The flags that hold for every verb.
    pub global: GlobalArgs,
    /// The environment of the process.
    pub environment: Environment,
    /// Where to print.
    pub output: Output,
    resolved: OnceLock<Resolved>,
}

impl Context {
    /// The context of this process.
    pub fn of_process(global: GlobalArgs) -> Self {
        let output = Output::of_process(global.format, global.color);
        Self { global, environment: Environment::of_process(), output, resolved: OnceLock::new() }
    }

    /// The configuration with its origins. Warns the first time of what is odd in it.
    pub fn resolved(&self) -> Result<&Resolved, ConfigError> {
        if let Some(resolved) = self.resolved.get() {
            return Ok(resolved);
        }
        let file = self.global.config.as_deref();
        let resolved = config::resolve(&self.environment, file, &self.global.overrides())?;
        for warning in &resolved.warnings {
            self.output.warn(warning);
        }
        Ok(self.resolved.get_or_init(|| resolved))
    }

    /// The configuration.
    pub fn config(&self) -> Result<&Config, ConfigError> {
        self.resolved().map(|resolved| &resolved.config)
    }
}
