//! Drafts from a file: one JSON object, an array of them, or JSON lines. Every bad line is found, not only the first.

use std::path::Path;

use serde_json::Value;

use super::{Draft, Flaw};

/// The drafts in `text`, each with its place. Blank lines are skipped.
pub(crate) fn drafts(path: &Path, text: &str) -> Vec<Result<Draft, Flaw>> {
    let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    if text.trim().is_empty() {
        return Vec::new();
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(items)) => {
            let draft = |(ord, message)| Ok(Draft { place: format!("{name}[{ord}]"), message });
            items.into_iter().enumerate().map(draft).collect()
        }
        Ok(message) => vec![Ok(Draft { place: name, message })],
        Err(_) if is_json_lines(text) => lines(&name, text),
        Err(error) => {
            let place = format!("{name}:{}", error.line());
            let reason = format!("it is not valid JSON: {error}");
            let hint = Some("give one object, an array, or one object per line".to_owned());
            vec![Err(Flaw { place, reason, hint })]
        }
    }
}

/// Whether each line is meant to be a document of its own: the first one looks like an object from end to end.
fn is_json_lines(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    first.is_some_and(|line| line.starts_with('{') && line.ends_with('}'))
}

fn lines(name: &str, text: &str) -> Vec<Result<Draft, Flaw>> {
    let numbered = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let draft = |(number, line): (u32, &str)| {
        let place = format!("{name}:{number}");
        match serde_json::from_str(line) {
            Ok(message) => Ok(Draft { place, message }),
            Err(error) => {
                // serde_json counts lines from this one; the column is what helps.
                let what = error.to_string();
                let what = what.split(" at line ").next().unwrap_or_default();
                let reason = format!("it is not valid JSON: {what} at column {}", error.column());
                Err(Flaw { place, reason, hint: None })
            }
        }
    };
    numbered.map(draft).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<Result<String, String>> {
        let drafts = drafts(Path::new("j.json"), text).into_iter();
        drafts
            .map(|draft| match draft {
                Ok(draft) => Ok(draft.place),
                Err(flaw) => Err(format!("{}: {}", flaw.place, flaw.reason)),
            })
            .collect()
    }

    #[test]
    fn an_object_an_array_and_lines_are_all_understood() {
        assert_eq!(places("{\n \"a\": 1\n}"), [Ok("j.json".to_owned())]);
        assert_eq!(places("[{}, {}]"), [Ok("j.json[0]".to_owned()), Ok("j.json[1]".to_owned())]);
        assert_eq!(
            places("{\"a\":1}\n\n{\"a\":2}\n"),
            [Ok("j.json:1".to_owned()), Ok("j.json:3".to_owned())]
        );
    }

    #[test]
    fn every_broken_line_is_named_and_the_good_ones_are_kept() {
        let found = places("{\"a\":1}\n{\"a\":}\n{\"a\":2}\n{broken}\n");

        assert_eq!(found.len(), 4);
        assert_eq!(
            found[1],
            Err("j.json:2: it is not valid JSON: expected value at column 6".to_owned())
        );
        assert!(found[3].as_ref().unwrap_err().starts_with("j.json:4: "));
    }

    #[test]
    fn a_broken_document_over_several_lines_is_one_flaw_with_its_line() {
        let found = places("{\n  \"a\": 1,\n  \"b\" 2\n}");

        assert_eq!(found.len(), 1);
        assert!(found[0].as_ref().unwrap_err().starts_with("j.json:3: "), "{found:?}");
    }
}
