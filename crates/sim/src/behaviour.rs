//! How a job runs in the simulated cloud: told outright, or read from its command as a person would expect.
//!
//! The reader understands a few commands, alone or in `sh -c "a; b && c || d"`:
//!
//! | command | effect |
//! | --- | --- |
//! | `sleep 30`, `sleep 0.5`, `sleep 5m`, `sleep infinity` | takes so long |
//! | `exit 3` | ends the script with that exit code |
//! | `true`, `:` / `false` | exit code 0 / 1 |
//! | `tail /dev/zero` | eats all memory: the kernel kills the container (exit code 137, `OutOfMemoryError`) |
//! | `trap '' TERM` | from here on SIGTERM is ignored |
//! | `test 3 -lt 5` | exit code 0 or 1; `-eq`, `-ne`, `-lt`, `-le`, `-gt`, `-ge` |
//! | anything else | exit code 0; alone it takes the job's expected duration, else a minute |
//!
//! Variables of the environment are put in, and sums such as `$((30 + RANDOM % 61))`: so the children of an array, which all have
//! one command, take different times and end differently.
//!
//! An image whose name begins with `missing/` cannot be pulled; one with `stuck/` is pulled for ever.

mod expand;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use spillway_core::container::ContainerSpec;
use spillway_core::{JobId, JobSpec};

use crate::dice::Dice;
use expand::Variables;

/// How long a command takes of which nothing is known.
pub const DURATION_DEFAULT: SignedDuration = SignedDuration::from_secs(60);

/// How a container behaves, the same in every attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which a test sets by its name"
)]
pub struct Behaviour {
    /// How long it runs; none means for ever.
    pub run: Option<SignedDuration>,
    /// The exit code it ends with by itself, 0 to 255.
    pub exit_code: i32,
    /// Whether it is killed for memory at the end, whatever the exit code.
    pub oom: bool,
    /// Whether only SIGKILL ends it before its time.
    pub ignores_sigterm: bool,
    /// Whether its image is pulled for ever.
    pub never_starts: bool,
    /// Whether its image does not exist.
    pub missing_image: bool,
}

impl Behaviour {
    /// Runs for `run` and ends with `exit_code`.
    pub const fn exits(run: SignedDuration, exit_code: i32) -> Self {
        Self {
            run: Some(run),
            exit_code,
            oom: false,
            ignores_sigterm: false,
            never_starts: false,
            missing_image: false,
        }
    }

    /// How a person would expect this job to behave; of several containers, its main one.
    pub fn of(spec: &JobSpec, job: JobId, dice: Dice) -> Self {
        Self::of_container(&spec.container, spec, job, dice)
    }

    /// The same for one container of a job.
    pub fn of_container(container: &ContainerSpec, spec: &JobSpec, job: JobId, dice: Dice) -> Self {
        let command = &container.command;
        let mut behaviour = if command.iter().any(|word| word.contains('$')) {
            let mut variables = Variables::new(spec, &container.environment, job, dice);
            let expanded: Vec<String> = command.iter().map(|word| variables.expand(word)).collect();
            Self::of_command(&expanded, spec.expected_duration)
        } else {
            Self::of_command(command, spec.expected_duration)
        };
        behaviour.never_starts = container.image.starts_with("stuck/");
        behaviour.missing_image = container.image.starts_with("missing/");
        behaviour
    }

    /// The same for a command alone.
    pub fn of_command(command: &[String], expected: Option<SignedDuration>) -> Self {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut shell = Shell::default();
        match words.as_slice() {
            [shell_name, flags, script, ..] if is_shell(shell_name) && is_script_flag(flags) => {
                shell.run_script(script);
            }
            words => {
                shell.run_command(words);
            }
        }
        shell.into_behaviour(expected)
    }
}

fn is_shell(name: &str) -> bool {
    matches!(name.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"))
}

fn is_script_flag(flags: &str) -> bool {
    flags.starts_with('-') && flags.ends_with('c')
}

/// What has happened so far in a script.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a script")]
struct Shell {
    run: SignedDuration,
    /// The exit code of the last command.
    code: i32,
    for_ever: bool,
    oom: bool,
    ignores_sigterm: bool,
    /// Whether a command was understood; else nothing is known of how long it takes.
    understood: bool,
    ended: bool,
}

impl Shell {
    fn run_script(&mut self, script: &str) {
        // Each separator says when what follows it is run.
        let mut condition = ";";
        let mut rest = script;
        loop {
            let next = ["&&", "||", ";", "\n"]
                .into_iter()
                .filter_map(|sep| rest.find(sep).map(|at| (at, sep)))
                .min_by_key(|(at, _)| *at);
            let (command, separator) = match next {
                Some((at, separator)) => (rest.get(..at).unwrap_or(rest), Some((at, separator))),
                None => (rest, None),
            };
            let is_run = match condition {
                "&&" => self.code == 0,
                "||" => self.code != 0,
                _ => true,
            };
            let words: Vec<&str> = command.split_whitespace().collect();
            if is_run && !words.is_empty() {
                self.run_command(&words);
            }
            let Some((at, separator)) = separator else { return };
            if self.ended {
                return;
            }
            condition = separator;
            rest = rest.get(at + separator.len()..).unwrap_or("");
        }
    }

    fn run_command(&mut self, words: &[&str]) {
        let (name, arguments) = words.split_first().unwrap_or((&"", &[]));
        self.code = 0;
        match (name.rsplit('/').next().unwrap_or(name), arguments) {
            ("sleep", ["infinity", ..]) => {
                self.for_ever = true;
                self.ended = true;
            }
            ("sleep", [time, ..]) => match parse_sleep(time) {
                Some(time) => self.run += time,
                None => self.code = 1,
            },
            ("exit", [code, ..]) => {
                self.code = code.parse().unwrap_or(2);
                self.ended = true;
            }
            ("exit", []) => self.ended = true,
            ("true" | ":", _) => {}
            ("false", _) => self.code = 1,
            ("test" | "[", [left, operator, right, ..]) => {
                self.code = i32::from(!holds(left, operator, right));
            }
            ("tail", ["/dev/zero", ..]) => {
                self.oom = true;
                self.ended = true;
            }
            ("trap", ["''" | "\"\"", signal, ..]) if signal.ends_with("TERM") => {
                self.ignores_sigterm = true;
            }
            _ => return,
        }
        self.understood = true;
    }

    fn into_behaviour(self, expected: Option<SignedDuration>) -> Behaviour {
        let run = if self.understood { self.run } else { expected.unwrap_or(DURATION_DEFAULT) };
        Behaviour {
            run: (!self.for_ever).then_some(run),
            exit_code: self.code,
            oom: self.oom,
            ignores_sigterm: self.ignores_sigterm,
            never_starts: false,
            missing_image: false,
        }
    }
}

/// Whether a comparison of whole numbers holds.
fn holds(left: &str, operator: &str, right: &str) -> bool {
    let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) else { return false };
    match operator {
        "-eq" => left == right,
        "-ne" => left != right,
        "-lt" => left < right,
        "-le" => left <= right,
        "-gt" => left > right,
        "-ge" => left >= right,
        _ => false,
    }
}

/// Reads the argument of `sleep`: a decimal number and an optional `s`, `m`, `h` or `d`.
fn parse_sleep(text: &str) -> Option<SignedDuration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_ms: i64 = match unit {
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let thousandths: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    if whole < 0 || thousandths < 0 {
        return None;
    }
    let ms = whole.checked_mul(unit_ms)?.checked_add(thousandths.checked_mul(unit_ms)? / 1000)?;
    Some(SignedDuration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &[&str]) -> Behaviour {
        let command: Vec<String> = command.iter().map(|&w| w.to_owned()).collect();
        Behaviour::of_command(&command, None)
    }

    fn script(text: &str) -> Behaviour {
        of(&["sh", "-c", text])
    }

    fn secs(secs: i64) -> SignedDuration {
        SignedDuration::from_secs(secs)
    }

    #[test]
    fn plain_commands_do_what_they_say() {
        assert_eq!(of(&["sleep", "30"]), Behaviour::exits(secs(30), 0));
        assert_eq!(
            of(&["/bin/sleep", "0.5"]),
            Behaviour::exits(SignedDuration::from_millis(500), 0)
        );
        assert_eq!(of(&["true"]), Behaviour::exits(secs(0), 0));
        assert_eq!(of(&["false"]), Behaviour::exits(secs(0), 1));
        assert_eq!(of(&["sleep", "infinity"]).run, None);
    }

    #[test]
    fn scripts_add_up_and_end_at_exit() {
        assert_eq!(script("sleep 30; exit 3"), Behaviour::exits(secs(30), 3));
        assert_eq!(script("sleep 1m && sleep 2"), Behaviour::exits(secs(62), 0));
        assert_eq!(script("false && sleep 9; sleep 1"), Behaviour::exits(secs(1), 0));
        assert_eq!(script("false || exit 4; sleep 9"), Behaviour::exits(secs(0), 4));
        assert_eq!(script("sleep 5; exit"), Behaviour::exits(secs(5), 0));
        assert_eq!(script("echo hello; sleep 5"), Behaviour::exits(secs(5), 0));
    }

    #[test]
    fn comparisons_decide() {
        assert_eq!(script("test 3 -lt 5 || exit 4; sleep 1"), Behaviour::exits(secs(1), 0));
        assert_eq!(script("[ 7 -ne 7 ] || exit 4; sleep 1"), Behaviour::exits(secs(0), 4));
    }

    #[test]
    fn memory_and_signals_have_their_idioms() {
        assert!(script("sleep 20; tail /dev/zero").oom);
        assert!(script("trap '' TERM; sleep 600").ignores_sigterm);
    }

    #[test]
    fn of_an_unknown_command_the_expectation_is_believed() {
        let command = ["align".to_owned(), "--fast".to_owned()];

        assert_eq!(Behaviour::of_command(&command, Some(secs(300))).run, Some(secs(300)));
        assert_eq!(Behaviour::of_command(&command, None).run, Some(DURATION_DEFAULT));
        assert_eq!(Behaviour::of_command(&[], None), Behaviour::exits(DURATION_DEFAULT, 0));
    }
}
