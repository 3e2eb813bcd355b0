//! `spillway completions SHELL`.

use anyhow::Result;
use clap::Args;
use clap_complete::Shell;

use crate::context::Context;
use crate::exit::ExitStatus;

pub(crate) const LONG_ABOUT: &str = "\
Prints a shell's completion script to stdout.

Examples:
  spillway completions bash > ~/.local/share/bash-completion/completions/spillway
  spillway completions zsh  > \"${fpath[1]}/_spillway\"
  spillway completions fish > ~/.config/fish/completions/spillway.fish";

/// Flags of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script.
pub fn run(args: &CompletionsArgs, context: &Context) -> Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "spillway", &mut script);
    context.output.raw(&String::from_utf8(script)?)?;
    Ok(ExitStatus::Ok)
}
