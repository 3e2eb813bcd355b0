//! `spillway config show|check|schema`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::config::{self, Origin, Resolved};
use crate::context::Context;
use crate::exit::ExitStatus;
use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// The verbs of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every key with its value and where it comes from
    #[command(long_about = SHOW_ABOUT)]
    Show(ShowArgs),
    /// Check the configuration and do nothing else
    #[command(long_about = CHECK_ABOUT)]
    Check(CheckArgs),
    /// Print the JSON Schema of the configuration file
    Schema,
}

const SHOW_ABOUT: &str = "\
Shows every key with its value and where it comes from: built-in, the file, an environment variable or a flag; the \
later is the stronger.

Every key is set by a variable too: `limits.max-hosts` by SPILLWAY_LIMITS_MAX_HOSTS. Lists are separated by commas.

Examples:
  spillway config show
  spillway config show limits
  spillway config show --format json | jq -r '.keys[] | select(.origin != \"built-in\") | .key'";

/// Flags of `config show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Only keys that begin so
    #[arg(value_name = "PREFIX")]
    pub prefix: Option<String>,
}

const CHECK_ABOUT: &str = "\
Reads the configuration as every other verb would, and says what is wrong with it.

Examples:
  spillway config check
  spillway config check deploy/spillway.toml";

/// Flags of `config check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The file to check in the place of the one that would be read
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// One key.
#[derive(Debug, Serialize)]
struct KeyView {
    key: String,
    value: Option<toml::Value>,
    origin: Origin,
    variable: String,
    help: String,
}

#[derive(Debug, Serialize)]
struct ConfigView {
    file: Option<PathBuf>,
    keys: Vec<KeyView>,
}

impl ConfigView {
    fn new(resolved: &Resolved, prefix: &str) -> Self {
        let wanted = config::keys().into_iter().filter(|key| key.name.starts_with(prefix));
        let view = |key: config::Key| {
            let (value, origin) = match resolved.value(&key) {
                Some((value, origin)) => (Some(value.clone()), origin.clone()),
                None => (None, Origin::BuiltIn),
            };
            KeyView { variable: key.variable(), key: key.name, value, origin, help: key.help }
        };
        Self { file: resolved.file.clone(), keys: wanted.map(view).collect() }
    }
}

impl View for ConfigView {
    fn page(&self, page: &mut Page) {
        let mut table = Rows::new(&["KEY", "VALUE", "ORIGIN"]);
        for key in &self.keys {
            let value = key.value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let tone = if key.origin == Origin::BuiltIn { Tone::Plain } else { Tone::Busy };
            table.row([
                key.key.as_str().into(),
                Field::toned(value, tone),
                key.origin.to_string().into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.keys.iter().try_for_each(|key| lines.item(key))
    }
}

#[derive(Debug, Serialize)]
struct CheckView {
    ok: bool,
    file: Option<PathBuf>,
    warnings: Vec<String>,
}

impl View for CheckView {
    fn page(&self, page: &mut Page) {
        let of = self.file.as_ref().map_or_else(
            || "there is no file; everything is built-in or from variables and flags".to_owned(),
            |file| format!("{} is read", file.display()),
        );
        page.line(format!("{}: {of}", Tone::Good.paint("ok")));
    }
}

/// Runs one of them.
pub fn run(command: &ConfigCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        ConfigCommand::Show(args) => {
            let prefix = args.prefix.as_deref().unwrap_or_default();
            context.output.show(&ConfigView::new(context.resolved()?, prefix))?;
        }
        ConfigCommand::Check(args) => {
            let file = args.file.as_deref().or(context.global.config.as_deref());
            let resolved =
                config::resolve(&context.environment, file, &context.global.overrides())?;
            for warning in &resolved.warnings {
                context.output.warn(warning);
            }
            let warnings = resolved.warnings;
            context.output.show(&CheckView { ok: true, file: resolved.file, warnings })?;
        }
        ConfigCommand::Schema => {
            let mut text = serde_json::to_string_pretty(&config::schema())?;
            text.push('\n');
            context.output.raw(&text)?;
        }
    }
    Ok(ExitStatus::Ok)
}
