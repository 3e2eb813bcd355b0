//! The table's calls: `GetItem`, `Query`, `PutItem`, `DeleteItem` and `TransactWriteItems`. All reads are strongly consistent.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use spillway_core::CloudError;
use spillway_core::table::{Item, Key, Table, TableError, Write};

use crate::error::{sort, sort_transaction};
use crate::item::{self, Expression, PARTITION, SORT};
use crate::limits;

const GET: &str = "dynamodb:GetItem";
const QUERY: &str = "dynamodb:Query";
const PUT: &str = "dynamodb:PutItem";
const DELETE: &str = "dynamodb:DeleteItem";
const TRANSACT: &str = "dynamodb:TransactWriteItems";

/// A table in DynamoDB, with the key `pk` and `sk`.
#[derive(Debug, Clone)]
pub struct DynamoTable {
    client: Client,
    name: String,
}

impl DynamoTable {
    pub(crate) const fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    async fn write_one(&self, write: Write) -> Result<(), TableError> {
        let Expression { text, names, values } = Expression::of(write.only_if);
        let Some(item) = write.item else {
            let call = self.client.delete_item().table_name(&self.name);
            let call = call.set_key(Some(item::of_key(&write.key))).set_condition_expression(text);
            let call =
                call.set_expression_attribute_names(names).set_expression_attribute_values(values);
            return call.send().await.map(drop).map_err(|error| sort(DELETE, &error));
        };
        let call = self.client.put_item().table_name(&self.name);
        let call = call
            .set_item(Some(item::of_item(&write.key, item)))
            .set_condition_expression(text)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        call.send().await.map(drop).map_err(|error| sort(PUT, &error))
    }

    fn part(&self, write: Write) -> Result<TransactWriteItem, TableError> {
        let Expression { text, names, values } = Expression::of(write.only_if);
        let invalid = |error: &dyn std::fmt::Display| {
            let (action, detail) = (TRANSACT.to_owned(), error.to_string());
            TableError::Call(CloudError::Invalid { action, detail })
        };
        let part = TransactWriteItem::builder();
        let Some(item) = write.item else {
            let delete = Delete::builder()
                .table_name(&self.name)
                .set_key(Some(item::of_key(&write.key)))
                .set_condition_expression(text)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values);
            let delete = delete.build().map_err(|error| invalid(&error))?;
            return Ok(part.delete(delete).build());
        };
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item::of_item(&write.key, item)))
            .set_condition_expression(text)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        Ok(part.put(put.build().map_err(|error| invalid(&error))?).build())
    }
}

impl Table for DynamoTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        let call = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = call.set_key(Some(item::of_key(key))).send().await;
        let answer = answer.map_err(|error| sort(GET, &error))?;
        let read = answer.item.map(|attributes| item::read(GET, attributes)).transpose()?;
        Ok(read.map(|(_, item)| item))
    }

    async fn list(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Item)>, TableError> {
        let mut call = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .expression_attribute_names("#p", PARTITION)
            .expression_attribute_values(":p", AttributeValue::S(partition.to_owned()));
        call = match after {
            None => call.key_condition_expression("#p = :p"),
            Some(sort) => call
                .key_condition_expression("#p = :p AND #s > :s")
                .expression_attribute_names("#s", SORT)
                .expression_attribute_values(":s", AttributeValue::S(sort.to_owned())),
        };
        let answer = call.send().await.map_err(|error| sort(QUERY, &error))?;
        let items = answer.items.unwrap_or_default().into_iter();
        Ok(items.map(|attributes| item::read(QUERY, attributes)).collect::<Result<_, _>>()?)
    }

    async fn write(&self, mut writes: Vec<Write>) -> Result<(), TableError> {
        // Alone it costs half as much.
        if writes.len() == 1
            && let Some(write) = writes.pop()
        {
            return self.write_one(write).await;
        }
        debug_assert!(writes.len() <= limits::TRANSACTION_WRITES, "the port says so");
        let parts: Vec<TransactWriteItem> =
            writes.into_iter().map(|write| self.part(write)).collect::<Result<_, _>>()?;
        // The SDK draws one token for all its tries: however often it is sent, it is made once.
        let call = self.client.transact_write_items().set_transact_items(Some(parts));
        call.send().await.map(drop).map_err(|error| sort_transaction(TRANSACT, &error))
    }
}
