//! Where in a message something is, in the notation people write: `containerOverrides.environment[0].name`.

use std::fmt;

/// A place, as a chain of references on the stack: it costs nothing until somebody asks for its text.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    /// The message itself.
    Root,
    /// Under a key.
    Key(&'a At<'a>, &'a str),
    /// In a list, from 0.
    Index(&'a At<'a>, usize),
}

impl<'a> At<'a> {
    pub(super) const fn key(&'a self, key: &'a str) -> Self {
        At::Key(self, key)
    }

    pub(super) const fn index(&'a self, index: usize) -> Self {
        At::Index(self, index)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Key(parent, key) => {
                parent.fmt(f)?;
                write_key(f, key, matches!(parent, At::Root))
            }
            At::Index(parent, index) => {
                parent.fmt(f)?;
                write!(f, "[{index}]")
            }
        }
    }
}

/// A key as it is where that is unmistakable, else quoted: `tags["a.b"]`.
fn write_key(f: &mut impl fmt::Write, key: &str, is_first: bool) -> fmt::Result {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_plain = !key.is_empty() && key.chars().all(plain);
    match (is_plain, is_first) {
        (true, true) => f.write_str(key),
        (true, false) => write!(f, ".{key}"),
        (false, _) => write!(f, "[{key:?}]"),
    }
}

/// The place at which a type did not match. An enum's variant is a value, not a place.
pub(super) fn of_error(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path {
        let is_first = text.is_empty();
        // Writing to a String does not fail.
        let _ = match segment {
            Segment::Seq { index } => fmt::Write::write_fmt(&mut text, format_args!("[{index}]")),
            Segment::Map { key } => write_key(&mut text, key, is_first),
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
    }
    text
}

/// The place of a key that no type asked for.
pub(super) fn of_ignored(path: &serde_ignored::Path<'_>) -> String {
    fn write(path: &serde_ignored::Path<'_>, text: &mut String) {
        use serde_ignored::Path;
        match path {
            Path::Root => {}
            Path::Seq { parent, index } => {
                write(parent, text);
                let _ = fmt::Write::write_fmt(text, format_args!("[{index}]"));
            }
            Path::Map { parent, key } => {
                write(parent, text);
                let is_first = text.is_empty();
                let _ = write_key(text, key, is_first);
            }
            Path::Some { parent }
            | Path::NewtypeStruct { parent }
            | Path::NewtypeVariant { parent } => write(parent, text),
        }
    }
    let mut text = String::new();
    write(path, &mut text);
    text
}

/// The key itself of a key that no type asked for.
pub(super) fn last_key<'a>(path: &'a serde_ignored::Path<'_>) -> Option<&'a str> {
    use serde_ignored::Path;
    match path {
        Path::Map { key, .. } => Some(key),
        Path::Root
        | Path::Seq { .. }
        | Path::Some { .. }
        | Path::NewtypeStruct { .. }
        | Path::NewtypeVariant { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_like_the_code_that_would_reach_them() {
        let root = At::Root;
        let overrides = root.key("containerOverrides");
        let environment = overrides.key("environment");
        let first = environment.index(0);

        assert_eq!(first.key("name").to_string(), "containerOverrides.environment[0].name");
        assert_eq!(root.key("a.b").to_string(), "[\"a.b\"]");
        assert_eq!(root.key("tags").key("a b").to_string(), "tags[\"a b\"]");
    }
}
