//! `lookup`: fields from a table in a file.
//!
//! Owns: [`Lookup`].
//! Promises: the table is read again when its file changes; one that cannot be used leaves the table from before in force.
//! Never: changes an event whose value has no line.

mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use logweir_parsers::KeyId;

use super::loaded_file::{FileError, LoadedFile, read_file};
use super::set::constant_value;
use super::{Bench, Step, read};
use crate::event::Batch;
use table::Table;

/// What a lookup needs to know.
#[derive(Clone, Debug)]
pub struct LookupConfig {
    /// The field whose value is looked up.
    pub field: KeyId,
    /// The table: CSV with a header, or JSON (a list of objects) when its name ends in `.json`.
    pub file: PathBuf,
    /// The column with the values of the field.
    pub column: String,
    /// The fields that are set, and from which columns.
    pub set: Vec<(KeyId, String)>,
    /// How often the file is looked at.
    pub reload_after: Duration,
    /// The largest file that is read, in bytes.
    pub bytes_max: u64,
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line of the CSV file is not like its header.
    #[error("the table is no CSV with a header: {0}")]
    Csv(#[from] csv::Error),
    /// The JSON file holds something else.
    #[error("the table is no JSON list of objects: {0}")]
    Json(#[from] serde_json::Error),
    /// No line has this column.
    #[error("the table has no column `{wanted}`; it has {columns}")]
    NoColumn {
        /// The column that was asked for.
        wanted: String,
        /// Those that there are.
        columns: String,
    },
}

/// Sets fields from the line of a table that has the value of a field.
#[derive(Debug)]
pub struct Lookup {
    config: LookupConfig,
    keys: Vec<KeyId>,
    table: LoadedFile<Table>,
}

impl Lookup {
    /// Reads the table.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or is no table with these columns.
    pub fn new(config: LookupConfig) -> Result<Self, LookupError> {
        let table = LoadedFile::new(config.file.clone(), config.reload_after, |path| load(path, &config))?;
        let keys = config.set.iter().map(|(key, _)| *key).collect();
        Ok(Self { config, keys, table })
    }
}

fn load(path: &Path, config: &LookupConfig) -> Result<Table, LookupError> {
    let content = read_file(path, config.bytes_max)?;
    let columns = config.set.iter().map(|(_, column)| column.as_str()).collect::<Vec<_>>();
    if path.extension().is_some_and(|extension| extension == "json") {
        Table::from_json(&content, &config.column, &columns)
    } else {
        Table::from_csv(&content, &config.column, &columns)
    }
}

impl Step for Lookup {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let table = self.table.get(batch.read_at, |path| load(path, &self.config));
        for index in selected.iter().map(|&index| index as usize) {
            let Some(text) = read::text(batch, index, self.config.field, &mut bench.room) else { continue };
            for (key, value) in self.keys.iter().zip(table.get(text)) {
                if let Some(value) = value {
                    let value = constant_value(value, batch);
                    batch.set(index, *key, value);
                }
            }
        }
    }
}
