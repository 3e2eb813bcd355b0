//! Puts parameters into a command: `Ref::name` becomes the value of the parameter `name`.

use std::collections::BTreeMap;

const MARK: &str = "Ref::";

/// A command with its parameters put in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Substituted {
    pub(super) command: Vec<String>,
    /// Placeholders that name no parameter; they are left as they are, as AWS Batch does.
    pub(super) unknown: Vec<String>,
}

/// Substitutes in every argument, also in the middle of one. Of several parameters that fit, the longest name is meant; a
/// name ends where a letter, digit or underscore does not follow. What was put in is not looked at again.
///
/// `None` if the command is longer than `chars_max`, as written or with the parameters put in: a few parameters used often
/// can ask for any amount of memory.
pub(super) fn substitute(
    command: &[String],
    parameters: &BTreeMap<String, String>,
    chars_max: usize,
) -> Option<Substituted> {
    let mut result =
        Substituted { command: Vec::with_capacity(command.len()), unknown: Vec::new() };
    let n_written: usize = command.iter().map(|argument| argument.chars().count()).sum();
    if chars_max < n_written {
        return None;
    }
    let mut n_chars = 0_usize;
    for argument in command {
        let mut text = String::new();
        let mut rest = argument.as_str();
        while let Some((before, after)) = rest.split_once(MARK) {
            let fitting = parameters.iter().filter(|(name, _)| is_named(after, name));
            let meant = fitting.max_by_key(|(name, _)| name.len());
            let (piece, name_len) = if let Some((name, value)) = meant {
                (value.as_str(), name.len())
            } else {
                result.unknown.push(leading_name(after).to_owned());
                (MARK, 0)
            };
            text.push_str(before);
            text.push_str(piece);
            n_chars += before.chars().count() + piece.chars().count();
            if chars_max < n_chars {
                return None;
            }
            rest = after.get(name_len..).unwrap_or_default();
        }
        text.push_str(rest);
        n_chars += rest.chars().count();
        if chars_max < n_chars {
            return None;
        }
        result.command.push(text);
    }
    Some(result)
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the text after a mark names this parameter.
fn is_named(after: &str, name: &str) -> bool {
    !name.is_empty() && after.strip_prefix(name).is_some_and(|rest| !rest.starts_with(is_name_char))
}

/// What the text after a mark probably names.
fn leading_name(after: &str) -> &str {
    let is_in_name = |c: char| is_name_char(c) || c == '-';
    let end = after.find(|c| !is_in_name(c)).unwrap_or(after.len());
    after.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(argument: &str, parameters: &[(&str, &str)]) -> (String, Vec<String>) {
        let parameters =
            parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let done = substitute(&[argument.to_owned()], &parameters, 1_000).unwrap();
        (done.command.concat(), done.unknown)
    }

    #[test]
    fn placeholders_are_replaced_inside_an_argument_too() {
        let parameters = [("sample", "s17"), ("dir", "/data")];

        assert_eq!(run("Ref::sample", &parameters).0, "s17");
        assert_eq!(run("cat Ref::dir/Ref::sample.txt", &parameters).0, "cat /data/s17.txt");
    }

    #[test]
    fn the_longest_name_is_meant_and_a_name_is_never_cut() {
        let parameters = [("in", "A"), ("in-put", "B")];

        assert_eq!(run("Ref::in-put", &parameters).0, "B");
        assert_eq!(run("Ref::in-side", &parameters).0, "A-side");
        assert_eq!(run("Ref::input", &parameters), ("Ref::input".into(), vec!["input".into()]));
    }

    #[test]
    fn what_was_put_in_is_not_looked_at_again() {
        assert_eq!(run("Ref::a", &[("a", "Ref::b"), ("b", "x")]).0, "Ref::b");
        assert_eq!(run("Ref::Ref::a", &[("a", "x")]).0, "Ref::x");
    }

    #[test]
    fn growth_is_bounded_before_it_happens() {
        let parameters = BTreeMap::from([("a".to_owned(), "x".repeat(600))]);
        let twice = ["Ref::a Ref::a".to_owned()];

        assert_eq!(substitute(&twice, &parameters, 1_000), None);
        assert_eq!(substitute(&["x".repeat(1_001)], &parameters, 1_000), None);
    }
}
