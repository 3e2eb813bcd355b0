//! Job definitions as people and programs see them.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use spillway_core::DefinitionRecord;

use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// One revision.
#[derive(Debug, Serialize)]
pub struct DefinitionView {
    /// `name:revision`.
    pub definition: String,
    /// Its name.
    pub name: String,
    /// Its revision.
    pub revision: u32,
    /// ACTIVE or INACTIVE.
    pub status: &'static str,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// When it was deregistered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Timestamp>,
    /// What was registered.
    pub content: Value,
}

impl From<&DefinitionRecord> for DefinitionView {
    fn from(record: &DefinitionRecord) -> Self {
        Self {
            definition: record.reference().to_string(),
            name: record.name.to_string(),
            revision: record.revision,
            status: record.status(),
            registered_at: record.registered_at,
            deregistered_at: record.deregistered_at,
            content: Value::clone(&record.content),
        }
    }
}

impl DefinitionView {
    /// The images of all its containers, those of its nodes too, each once.
    fn images(&self) -> String {
        let mut found = Vec::new();
        find_images(&self.content, &mut found);
        if found.is_empty() { "-".to_owned() } else { found.join(", ") }
    }
}

/// Wherever a definition says `image`, it is a container's.
fn find_images<'a>(of: &'a Value, found: &mut Vec<&'a str>) {
    match of {
        Value::Object(fields) => {
            if let Some(image) = fields.get("image").and_then(Value::as_str)
                && !found.contains(&image)
            {
                found.push(image);
            }
            fields.values().for_each(|field| find_images(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| find_images(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl View for DefinitionView {
    fn page(&self, page: &mut Page) {
        page.field("Definition", self.definition.clone());
        page.field("Status", self.status.to_owned());
        page.field("Registered", self.registered_at.to_string());
        if let Some(at) = self.deregistered_at {
            page.field("Deregistered", at.to_string());
        }
        for line in format!("{:#}", self.content).lines() {
            page.line(line.to_owned());
        }
    }
}

/// Several revisions, by name and revision.
#[derive(Debug, Serialize)]
pub struct DefinitionList {
    /// The revisions.
    pub definitions: Vec<DefinitionView>,
}

impl DefinitionList {
    /// A list in the order given.
    pub fn new(records: &[DefinitionRecord]) -> Self {
        Self { definitions: records.iter().map(DefinitionView::from).collect() }
    }
}

impl View for DefinitionList {
    fn page(&self, page: &mut Page) {
        let mut table = Rows::new(&["DEFINITION", "STATUS", "REGISTERED", "IMAGE"]);
        for of in &self.definitions {
            let tone = if of.deregistered_at.is_none() { Tone::Good } else { Tone::Plain };
            table.row([
                of.definition.as_str().into(),
                Field::toned(of.status.to_owned(), tone),
                of.registered_at.to_string().into(),
                of.images().into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.definitions.iter().try_for_each(|definition| lines.item(definition))
    }
}

/// The answer of `definitions register` and `deregister`.
#[derive(Debug, Serialize)]
pub struct DefinitionOrder {
    definition: String,
    action: &'static str,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

impl DefinitionOrder {
    /// An order that is sent.
    pub const fn new(definition: String, action: &'static str) -> Self {
        Self { definition, action, sent: true, message: None }
    }

    /// The same, shown and not sent.
    #[must_use]
    pub fn with_message(self, message: Value) -> Self {
        Self { sent: false, message: Some(message), ..self }
    }
}

impl fmt::Display for DefinitionOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.action, self.definition)
    }
}

impl View for DefinitionOrder {
    fn page(&self, page: &mut Page) {
        match &self.message {
            Some(message) => page.line(message.to_string()),
            None => page.line(self.definition.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_images_of_all_containers_and_nodes_are_listed_once() {
        let images = |content: Value| {
            let mut found = Vec::new();
            find_images(&content, &mut found);
            found.join(", ")
        };
        let node = |image: &str| json!({"targetNodes": "0:", "container": {"image": image}});

        let one = json!({"type": "container", "containerProperties": {"image": "busybox"}});
        assert_eq!(images(one), "busybox");
        let nodes =
            json!({"nodeProperties": {"nodeRangeProperties": [node("a"), node("b"), node("a")]}});
        assert_eq!(images(nodes), "a, b");
        let several = json!({"ecsProperties": {"taskProperties": [{"containers": [{"image": "x"}, {"image": "y"}]}]}});
        assert_eq!(images(several), "x, y");
        assert_eq!(images(json!({"type": "container"})), "");
    }
}
