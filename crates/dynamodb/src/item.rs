//! Items and keys as DynamoDB writes them.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use spillway_core::CloudError;
use spillway_core::table::{Condition, Field, Item, Key};

/// The attributes that are the key.
pub(crate) const PARTITION: &str = "pk";
pub(crate) const SORT: &str = "sk";

/// An item as the SDK has it.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

pub(crate) fn of_key(key: &Key) -> Attributes {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    Attributes::from([
        (PARTITION.to_owned(), text(&key.partition)),
        (SORT.to_owned(), text(&key.sort)),
    ])
}

pub(crate) fn of_item(key: &Key, item: Item) -> Attributes {
    let mut attributes = of_key(key);
    attributes.extend(item.into_iter().map(|(name, field)| (name, of_field(field))));
    attributes
}

fn of_field(field: Field) -> AttributeValue {
    match field {
        Field::Text(text) => AttributeValue::S(text),
        Field::Number(n) => AttributeValue::N(n.to_string()),
        Field::Bytes(bytes) => AttributeValue::B(Blob::new(bytes)),
    }
}

/// What was read, and its place in its partition.
pub(crate) fn read(action: &str, attributes: Attributes) -> Result<(String, Item), CloudError> {
    let mut item = Item::new();
    let mut sort = String::new();
    // In one order, so that of several that are wrong the same is told each time.
    for (name, value) in attributes.into_iter().collect::<BTreeMap<_, _>>() {
        let field = field(action, &name, value)?;
        match (name.as_str(), field) {
            (PARTITION, _) => {}
            (SORT, Field::Text(text)) => sort = text,
            (_, field) => {
                item.insert(name, field);
            }
        }
    }
    Ok((sort, item))
}

fn field(action: &str, name: &str, value: AttributeValue) -> Result<Field, CloudError> {
    let foreign = || CloudError::Misconfigured {
        action: action.to_owned(),
        detail: format!("the table holds something else than a ledger: {name}"),
    };
    if let AttributeValue::N(text) = &value {
        return text.parse().map(Field::Number).map_err(|_| foreign());
    }
    if let AttributeValue::S(text) = value {
        return Ok(Field::Text(text));
    }
    value.as_b().map(|blob| Field::Bytes(blob.as_ref().to_vec())).map_err(|_| foreign())
}

/// A condition as an expression, with the names and values in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Expression {
    pub(crate) text: Option<String>,
    pub(crate) names: Option<HashMap<String, String>>,
    pub(crate) values: Option<Attributes>,
}

impl Expression {
    pub(crate) fn of(condition: Option<Condition>) -> Self {
        let fields = match condition {
            None => return Self::default(),
            Some(Condition::Absent) => {
                let text = Some(format!("attribute_not_exists({PARTITION})"));
                return Self { text, ..Self::default() };
            }
            Some(Condition::Holds(fields)) => fields,
        };
        let (mut terms, mut names, mut values) = (Vec::new(), HashMap::new(), Attributes::new());
        for (at, (name, field)) in fields.into_iter().enumerate() {
            // Many words are reserved.
            terms.push(format!("#n{at} = :v{at}"));
            names.insert(format!("#n{at}"), name.to_owned());
            values.insert(format!(":v{at}"), of_field(field));
        }
        Self { text: Some(terms.join(" AND ")), names: Some(names), values: Some(values) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_as_it_was_written() {
        let item = Item::from([
            ("epoch".to_owned(), Field::Number(u64::MAX)),
            ("owner".to_owned(), Field::Text("a \"b\"".into())),
            ("data".to_owned(), Field::Bytes(vec![0, 255])),
        ]);

        let attributes = of_item(&Key::new("p", "s"), item.clone());

        assert_eq!(read("a", attributes), Ok(("s".to_owned(), item)));
    }

    #[test]
    fn an_item_of_somebody_else_is_refused() {
        let attributes = Attributes::from([("x".to_owned(), AttributeValue::Bool(true))]);

        let error = read("dynamodb:GetItem", attributes).unwrap_err();

        assert!(matches!(error, CloudError::Misconfigured { .. }), "{error}");
    }

    #[test]
    fn a_condition_names_nothing_by_a_word_that_may_be_reserved() {
        let holds = Condition::Holds(vec![
            ("owner", Field::Text("a".into())),
            ("version", Field::Number(3)),
        ]);

        let expression = Expression::of(Some(holds));

        assert_eq!(expression.text.as_deref(), Some("#n0 = :v0 AND #n1 = :v1"));
        assert_eq!(expression.names.map(|names| names["#n1"].clone()).as_deref(), Some("version"));
        assert_eq!(Expression::of(None), Expression::default());
    }
}
