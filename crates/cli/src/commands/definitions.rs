//! `spillway definitions register|list|show|deregister`. What changes something is a message, as everything is; what reads
//! reads the ledger.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use spillway_core::definition::DefinitionSource as _;
use spillway_core::message::{self, Request};
use spillway_core::{DefinitionRef, Definitions};
use uuid::Uuid;

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::files;
use crate::ledger;
use crate::output::Format;
use crate::sender;
use crate::views::definition::{DefinitionList, DefinitionOrder, DefinitionView};

/// The verbs of `definitions`.
#[derive(Debug, Subcommand)]
pub enum DefinitionsCommand {
    /// Register a new revision of a job definition
    #[command(long_about = REGISTER_ABOUT)]
    Register(RegisterArgs),
    /// List job definitions
    #[command(long_about = LIST_ABOUT)]
    List(ListArgs),
    /// Show one revision as it was registered
    #[command(long_about = SHOW_ABOUT)]
    Show(ShowArgs),
    /// Let jobs name a revision no more
    #[command(long_about = DEREGISTER_ABOUT)]
    Deregister(DeregisterArgs),
}

const REGISTER_ABOUT: &str = "\
Asks the dispatcher to register a job definition: AWS Batch's RegisterJobDefinition request as a JSON object. It becomes the \
next revision of its name. The same token again is the same revision.

Examples:
  spillway definitions register align.json
  spillway definitions register --dry-run align.json
  jq '.containerProperties.image = \"repo/align:2\"' align.json | spillway definitions register -";

const LIST_ABOUT: &str = "\
Lists the active revisions of job definitions, from the ledger.

Examples:
  spillway definitions list
  spillway definitions list --name align --all";

const SHOW_ABOUT: &str = "\
Shows one revision: NAME is its newest active one. With --format json its `content` is what was registered.

Examples:
  spillway definitions show align
  spillway definitions show align:3 --format json | jq .content";

const DEREGISTER_ABOUT: &str = "\
Asks the dispatcher to deregister one revision. Jobs that have been accepted go on; new ones may not name it.

Examples:
  spillway definitions deregister align:3";

/// Flags of `definitions register`.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    /// The file with the definition; `-` is stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Makes the same registration of two calls with it [default: a random one]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Check it, print the message, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `definitions list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only of this name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Those that were deregistered too
    #[arg(long)]
    pub all: bool,
}

/// Flags of `definitions show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Which: NAME, NAME:REVISION, or the ARN of either
    #[arg(value_name = "DEFINITION")]
    pub definition: DefinitionRef,
}

/// Flags of `definitions deregister`.
#[derive(Debug, Args)]
pub struct DeregisterArgs {
    /// Which: NAME:REVISION, or its ARN
    #[arg(value_name = "DEFINITION")]
    pub definition: DefinitionRef,
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs one of them.
pub async fn run(command: &DefinitionsCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        DefinitionsCommand::Register(args) => register(args, context).await,
        DefinitionsCommand::List(args) => list(args, context),
        DefinitionsCommand::Show(args) => show(args, context),
        DefinitionsCommand::Deregister(args) => deregister(args, context).await,
    }
}

async fn register(args: &RegisterArgs, context: &Context) -> Result<ExitStatus> {
    let text = files::read(&args.file)?;
    let name = args.file.display();
    let mut message: Value = serde_json::from_str(&text).map_err(|error| {
        Complaint::usage(format!("{name} is not JSON: {error}"))
            .hint("it holds RegisterJobDefinition's request, one JSON object")
    })?;
    let Some(fields) = message.as_object_mut() else {
        return Err(Complaint::usage(format!("{name} is not a JSON object")).into());
    };
    let own = fields.entry("spillway").or_insert_with(|| json!({}));
    if let Value::Object(own) = own {
        own.insert("action".to_owned(), json!("RegisterJobDefinition"));
        let drawn = || json!(args.token.clone().unwrap_or_else(|| Uuid::new_v4().to_string()));
        own.entry("clientToken").or_insert_with(drawn);
    }
    let parsed = message::parse(&message.to_string())?;
    for warning in &parsed.warnings {
        context.output.warn(warning);
    }
    let Request::Register { name, .. } = parsed.request else {
        return Err(Complaint::usage("the file registers no job definition").into());
    };
    let order = DefinitionOrder::new(name.to_string(), "RegisterJobDefinition");
    let told = format!("`spillway definitions show {name}` tells its revision");
    send(order, message, args.dry_run, &told, context).await
}

async fn deregister(args: &DeregisterArgs, context: &Context) -> Result<ExitStatus> {
    let definition = args.definition.to_string();
    let action = "DeregisterJobDefinition";
    let message = json!({ "jobDefinition": definition, "spillway": { "action": action } });
    message::parse(&message.to_string())?;
    let order = DefinitionOrder::new(definition, action);
    let told = "`spillway definitions list --all` tells what became of it";
    send(order, message, args.dry_run, told, context).await
}

async fn send(
    order: DefinitionOrder,
    message: Value,
    dry_run: bool,
    told: &str,
    context: &Context,
) -> Result<ExitStatus> {
    if dry_run {
        context.output.show(&order.with_message(message))?;
        return Ok(ExitStatus::Ok);
    }
    sender::send(&message, &order.to_string(), context.config()?).await?;
    context.output.note(&format!("the dispatcher has been asked; {told}"));
    context.output.show(&order)?;
    Ok(ExitStatus::Ok)
}

fn list(args: &ListArgs, context: &Context) -> Result<ExitStatus> {
    let reader = ledger::reader(context.config()?)?;
    let mut records = reader.definitions()?;
    records.retain(|record| {
        let is_named = args.name.as_ref().is_none_or(|name| record.name.as_str() == name);
        is_named && (args.all || record.deregistered_at.is_none())
    });
    context.output.show(&DefinitionList::new(&records))?;
    if context.output.format() == Format::Human && records.is_empty() {
        context.output.note("there are none; `spillway definitions register FILE` makes one");
    }
    Ok(ExitStatus::Ok)
}

fn show(args: &ShowArgs, context: &Context) -> Result<ExitStatus> {
    let reader = ledger::reader(context.config()?)?;
    let records = reader.definitions()?;
    let wanted = &args.definition;
    let active = Definitions::new(records.iter().cloned()).find(wanted).map(|(n, _)| n);
    let revision = active.or(wanted.revision);
    let found = records
        .iter()
        .find(|record| record.name == wanted.name && Some(record.revision) == revision)
        .ok_or_else(|| {
            Complaint::usage(format!("there is no job definition {wanted}"))
                .hint("`spillway definitions list --all` shows them")
        })?;
    context.output.show(&DefinitionView::from(found))?;
    Ok(ExitStatus::Ok)
}
