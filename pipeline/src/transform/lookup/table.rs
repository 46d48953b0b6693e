//! The table of a `lookup`.
//!
//! Owns: [`Table`] and how it is read from CSV (RFC 4180) and JSON.
//! Promises: holds only the columns that are asked for; of two rows with one key the first counts; an empty cell of a
//! CSV file, and a null, is no value.
//! Never: opens a file.

use std::collections::HashMap;

use foldhash::quality::RandomState;
use serde_json::{Map, Value};

use super::LookupError;
use crate::event::ConstantValue;

/// The values of a row, in the order of the columns that are asked for.
type Row = Box<[Option<ConstantValue>]>;

/// The values of some columns, by those of another one.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: HashMap<Box<[u8]>, Row, RandomState>,
}

impl Table {
    /// The row of a key; nothing when there is none.
    pub(super) fn get(&self, key: &[u8]) -> &[Option<ConstantValue>] {
        self.rows.get(key).map_or(&[], |row| row)
    }

    /// From CSV with a header.
    pub(super) fn from_csv(content: &[u8], key: &str, columns: &[&str]) -> Result<Self, LookupError> {
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
        let mut reader = csv::Reader::from_reader(content);
        let header = reader.headers()?.clone();
        let place = |wanted: &str| {
            let place = header.iter().position(|column| column == wanted);
            place.ok_or_else(|| no_column(wanted, header.iter()))
        };
        let key = place(key)?;
        let columns = columns.iter().map(|column| place(column)).collect::<Result<Vec<_>, _>>()?;
        let mut table = Self::default();
        for record in reader.records() {
            let record = record?;
            let cell = |place: usize| record.get(place).unwrap_or_default();
            let values = columns.iter().map(|column| {
                Some(cell(*column))
                    .filter(|text| !text.is_empty())
                    .map(|text| ConstantValue::Text(text.to_owned()))
            });
            table.add(cell(key), values.collect());
        }
        Ok(table)
    }

    /// From a JSON list of objects.
    pub(super) fn from_json(content: &[u8], key: &str, columns: &[&str]) -> Result<Self, LookupError> {
        let rows = serde_json::from_slice::<Vec<Map<String, Value>>>(content)?;
        for wanted in columns.iter().chain([&key]) {
            if !rows.iter().any(|row| row.contains_key(*wanted)) {
                let names = rows.first().into_iter().flat_map(|row| row.keys().map(String::as_str));
                return Err(no_column(wanted, names));
            }
        }
        let mut table = Self::default();
        for row in &rows {
            let key = match row.get(key) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => continue,
                Some(other) => other.to_string(),
            };
            table.add(&key, columns.iter().map(|column| row.get(*column).and_then(constant)).collect());
        }
        Ok(table)
    }

    fn add(&mut self, key: &str, values: Row) {
        self.rows.entry(key.as_bytes().into()).or_insert(values);
    }
}

fn no_column<'a>(wanted: &str, columns: impl Iterator<Item = &'a str>) -> LookupError {
    let columns = columns.map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ");
    let columns = if columns.is_empty() { "none".to_owned() } else { columns };
    LookupError::NoColumn { wanted: wanted.to_owned(), columns }
}

fn constant(value: &Value) -> Option<ConstantValue> {
    match value {
        Value::Null => None,
        Value::Bool(truth) => Some(ConstantValue::Bool(*truth)),
        Value::String(text) => Some(ConstantValue::Text(text.clone())),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Some(ConstantValue::Integer(number)),
            None => number.as_f64().map(ConstantValue::Float),
        },
        Value::Array(items) => {
            let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            Some(ConstantValue::List(items.iter().map(text).collect()))
        }
        Value::Object(_) => Some(ConstantValue::Text(value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &Table, key: &str) -> Vec<String> {
        let value = |value: &Option<ConstantValue>| {
            value.as_ref().map_or("-".to_owned(), |value| String::from_utf8(value.to_json()).unwrap())
        };
        table.get(key.as_bytes()).iter().map(value).collect()
    }

    #[test]
    fn csv_has_quotes_empty_cells_and_rows_that_come_twice() {
        let csv = "\u{feff}ip,owner,room\r\n10.0.0.1,\"Lee, Ann\",7\r\n10.0.0.2,,8\r\n10.0.0.1,Bob,9\r\n";
        let table = Table::from_csv(csv.as_bytes(), "ip", &["owner", "room"]).unwrap();
        assert_eq!(row(&table, "10.0.0.1"), ["\"Lee, Ann\"", "\"7\""]);
        assert_eq!(row(&table, "10.0.0.2"), ["-", "\"8\""]);
        assert_eq!(row(&table, "10.0.0.3"), Vec::<String>::new());
    }

    #[test]
    fn json_keeps_its_types() {
        let json = br#"[{"id":7,"a":true,"b":[1,"x"]},{"id":"x","a":2.5,"b":null}]"#;
        let table = Table::from_json(json, "id", &["a", "b"]).unwrap();
        assert_eq!(row(&table, "7"), ["true", r#"["1","x"]"#]);
        assert_eq!(row(&table, "x"), ["2.5", "-"]);
    }

    #[test]
    fn a_file_that_is_no_table_is_refused() {
        let said = |result: Result<Table, LookupError>| result.unwrap_err().to_string();
        assert!(said(Table::from_csv(b"ip,owner\n1,2\n", "ip", &["name"])).contains("it has `ip`, `owner`"));
        assert!(said(Table::from_csv(b"ip,owner\n1\n", "ip", &["owner"])).contains("no CSV"));
        assert!(said(Table::from_json(b"{}", "ip", &["owner"])).contains("no JSON list"));
        assert!(said(Table::from_json(b"[]", "ip", &["owner"])).contains("it has none"));
    }
}
