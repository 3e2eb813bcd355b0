//! The committed schema is the one the types make.

use spillway_core::message;

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/job.schema.json");
    let committed = std::fs::read_to_string(path).unwrap();

    let made = format!("{:#}\n", message::schema());

    assert_eq!(committed, made, "run `cargo xtask docs` and look at what it changes");
}

#[test]
fn every_description_is_there() {
    fn undescribed(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
        let properties = value.get("properties").and_then(|p| p.as_object());
        for (key, property) in properties.into_iter().flatten() {
            if property.get("description").is_none() {
                found.push(format!("{path}.{key}"));
            }
        }
        for (key, definition) in
            value.get("$defs").and_then(|d| d.as_object()).into_iter().flatten()
        {
            undescribed(definition, key, found);
        }
    }
    let mut found = Vec::new();

    undescribed(&message::schema(), "", &mut found);

    assert_eq!(found, Vec::<String>::new());
}
