//! Puts a shell's variables into the text of a command: `$NAME`, `${NAME}`, and `$((...))` over whole numbers with `+` and `%`.
//! What is not known is left as it is.

use spillway_core::{JobId, JobSpec};

use crate::dice::{Dice, Roll};

/// The largest `$RANDOM` of a shell, and one.
const RANDOM_BELOW: u64 = 32_768;

/// What the variables of one container are.
pub(super) struct Variables<'a> {
    spec: &'a JobSpec,
    environment: &'a [(String, String)],
    job: JobId,
    roll: Roll,
}

impl<'a> Variables<'a> {
    pub(super) fn new(
        spec: &'a JobSpec,
        environment: &'a [(String, String)],
        job: JobId,
        dice: Dice,
    ) -> Self {
        Self { spec, environment, job, roll: dice.roll("RANDOM", &job) }
    }

    fn get(&mut self, name: &str) -> Option<String> {
        match name {
            "RANDOM" => Some(self.roll.below(RANDOM_BELOW).to_string()),
            "AWS_BATCH_JOB_ARRAY_INDEX" | "SPILLWAY_ARRAY_INDEX" => {
                self.job.index().map(|index| index.to_string())
            }
            "AWS_BATCH_JOB_ARRAY_SIZE" | "SPILLWAY_ARRAY_SIZE" => {
                self.spec.array.map(|array| array.indexes.size.to_string())
            }
            "AWS_BATCH_JOB_NODE_INDEX" | "SPILLWAY_NODE_INDEX" => {
                let gang = self.spec.gang.as_ref()?;
                Some(self.job.node_index().unwrap_or(gang.main).to_string())
            }
            "AWS_BATCH_JOB_NUM_NODES" | "SPILLWAY_NUM_NODES" => {
                Some(self.spec.gang.as_ref()?.n_nodes().to_string())
            }
            "AWS_BATCH_JOB_MAIN_NODE_INDEX" | "SPILLWAY_MAIN_NODE_INDEX" => {
                Some(self.spec.gang.as_ref()?.main.to_string())
            }
            _ => {
                let found = self.environment.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone())
            }
        }
    }

    /// The text with its variables put in.
    pub(super) fn expand(&mut self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let sum = after.strip_prefix("((").and_then(|inner| inner.split_once("))"));
            if let Some((sum, behind)) = sum {
                let value = self.sum(sum).map(|value| value.to_string());
                expanded.push_str(&value.unwrap_or_else(|| format!("$(({sum}))")));
                rest = behind;
                continue;
            }
            let is_braced = after.starts_with('{');
            let named = after.strip_prefix('{').unwrap_or(after);
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = named.find(|c| !is_name(c)).unwrap_or(named.len());
            let (name, behind) = named.split_at(end);
            let behind = if is_braced { behind.strip_prefix('}') } else { Some(behind) };
            if let (Some(behind), Some(value)) = (behind, self.get(name)) {
                expanded.push_str(&value);
                rest = behind;
            } else {
                expanded.push('$');
                rest = after;
            }
        }
        expanded.push_str(rest);
        expanded
    }

    fn sum(&mut self, text: &str) -> Option<u64> {
        let mut sum = 0_u64;
        for term in text.split('+') {
            let mut factors = term.split('%').map(str::trim);
            let mut value = self.number(factors.next()?)?;
            for divisor in factors {
                value = value.checked_rem(self.number(divisor)?)?;
            }
            sum = sum.checked_add(value)?;
        }
        Some(sum)
    }

    fn number(&mut self, word: &str) -> Option<u64> {
        let name = word.strip_prefix('$').unwrap_or(word);
        word.parse().ok().or_else(|| self.get(name)?.parse().ok())
    }
}
