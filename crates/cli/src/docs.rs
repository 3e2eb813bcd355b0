//! The command line as a page: every verb with its whole help, and the exit codes. Made from the same types that parse, so
//! it cannot say anything else.

use clap::Command;

use crate::exit::ExitStatus;

/// The width that help is broken at, whatever the terminal.
const WIDTH: usize = 100;

const HEAD: &str = "\
# The command line

<!-- Made by `cargo xtask docs` from the code. Do not edit. -->

`spillway help` and `spillway help VERB` say the same.
";

/// The text of `docs/cli.md`.
pub fn cli_markdown() -> String {
    let mut command = crate::command().term_width(WIDTH);
    command.build();
    let mut text = HEAD.to_owned();
    push_exit_codes(&mut text);
    push_command(&mut text, &mut command, "");
    text
}

fn push_exit_codes(text: &mut String) {
    text.push_str("\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n");
    text.extend(ExitStatus::ALL.map(|s| format!("| {} | {} |\n", s.code(), s.meaning())));
}

fn push_command(text: &mut String, command: &mut Command, parents: &str) {
    let name = format!("{parents}{}", command.get_name());
    let help = command.render_long_help().to_string();
    text.extend(["\n## ", &name, "\n\n```text\n"]);
    for line in help.trim_end().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str("```\n");
    for verb in command.get_subcommands_mut() {
        // `help` is clap's own and says nothing that is not here.
        if verb.get_name() != "help" && !verb.is_hide_set() {
            push_command(text, verb, &format!("{name} "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_and_every_exit_code_is_on_the_page() {
        let page = cli_markdown();

        for verb in crate::command().get_subcommands() {
            assert!(page.contains(&format!("\n## spillway {}\n", verb.get_name())), "{verb}");
        }
        assert!(page.contains("\n## spillway jobs wait\n"));
        for status in ExitStatus::ALL {
            assert!(page.contains(&format!("\n| {} | ", status.code())));
        }
    }

    #[test]
    fn the_page_does_not_depend_on_the_terminal() {
        assert!(cli_markdown().lines().all(|line| line.chars().count() <= WIDTH + 20));
    }
}
