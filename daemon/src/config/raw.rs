//! The first step: the config's files as TOML trees that know where everything stands.
//!
//! Owns: reading files and folders of files, [`Raw`] (all files as one list of sections and keys), duplicates across
//! files.
//! Promises: every key and value keeps its file and span.
//! Never: knows which keys there are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Diagnostic, Place};

/// Largest config file, in bytes: a guard against being pointed at a log.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// One file of the config.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile {
    /// Its path, as the user gave it.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
}

impl ConfigFile {
    /// The folder that relative paths in this file start from.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// Reads the files, and the `*.toml` of the folders in the order of their names.
pub(crate) fn read_files(paths: &[PathBuf]) -> (Vec<ConfigFile>, Vec<Diagnostic>) {
    let mut files = Vec::new();
    let mut diagnostics = Vec::new();
    for path in paths {
        match read_path(path, &mut files) {
            Ok(0) => diagnostics.push(
                Diagnostic::error(format!("the folder `{}` holds no config", path.display()))
                    .help("name a file, or a folder with files that end in `.toml`"),
            ),
            Ok(_) => {}
            Err(error) => diagnostics.push(
                Diagnostic::error(format!("cannot read the config `{}`: {error}", path.display()))
                    .help("name a TOML file, or a folder of them, that this user may read"),
            ),
        }
    }
    (files, diagnostics)
}

/// Reads one file or folder; says how many files it was.
fn read_path(path: &Path, files: &mut Vec<ConfigFile>) -> io::Result<usize> {
    if !fs::metadata(path)?.is_dir() {
        files.push(read_file(path)?);
        return Ok(1);
    }
    let mut members = Vec::new();
    for entry in fs::read_dir(path)? {
        let member = entry?.path();
        if member.extension().is_some_and(|extension| extension == "toml") {
            members.push(member);
        }
    }
    members.sort();
    for member in &members {
        files.push(read_file(member)?);
    }
    Ok(members.len())
}

fn read_file(path: &Path) -> io::Result<ConfigFile> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than 8 MiB, too large for a config"));
    }
    let text = fs::read_to_string(path)?;
    Ok(ConfigFile { path: path.to_owned(), text })
}

/// A key or value and where it stands.
#[derive(Debug)]
pub(crate) struct Located<'a, T: ?Sized> {
    /// What stands there.
    pub(crate) value: &'a T,
    /// Where.
    pub(crate) place: Place,
}

// Derived, these would ask `T` to be `Copy`, though only a reference to it is copied.
impl<T: ?Sized> Copy for Located<'_, T> {}

impl<T: ?Sized> Clone for Located<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

/// An entry of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Its key.
    pub(crate) key: Located<'a, str>,
    /// Its value.
    pub(crate) value: Located<'a, DeValue<'a>>,
}

/// The entries of a table that stands in file number `file`.
pub(crate) fn entries<'a>(file: usize, table: &'a DeTable<'a>) -> impl Iterator<Item = Entry<'a>> {
    table.iter().map(move |(key, value)| Entry {
        key: Located { value: key.get_ref().as_ref(), place: Place::new(file, key.span()) },
        value: Located { value: value.get_ref(), place: Place::new(file, value.span()) },
    })
}

/// Parses each file, in the order of the files. Of a file that is not TOML the first fault is told.
pub(crate) fn parse_files(files: &[ConfigFile]) -> (Vec<Spanned<DeTable<'_>>>, Vec<Diagnostic>) {
    let mut trees = Vec::new();
    let mut diagnostics = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match DeTable::parse(&file.text) {
            Ok(tree) => trees.push(tree),
            Err(error) => {
                let end = file.text.len();
                let span = error.span().unwrap_or(end..end);
                diagnostics.push(
                    Diagnostic::error(format!("`{}` is not valid TOML", file.path.display()))
                        .at(Place::new(index, span), error.message().to_owned()),
                );
            }
        }
    }
    (trees, diagnostics)
}

/// All files as one config.
#[derive(Debug, Default)]
pub(crate) struct Raw<'a> {
    /// The entries outside every named section: `data_dir`, `admin` and the like.
    pub(crate) settings: Vec<Entry<'a>>,
    /// The named sections, such as `sources.web`: kind, then name.
    pub(crate) components: BTreeMap<&'a str, Vec<Entry<'a>>>,
    /// The tables of `[[tests]]`.
    pub(crate) tests: Vec<Located<'a, DeValue<'a>>>,
}

impl<'a> Raw<'a> {
    /// Puts the files together. `kinds` are the tables whose members are named sections.
    pub(crate) fn merge(
        trees: &'a [Spanned<DeTable<'a>>],
        kinds: &[&str],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut raw = Self::default();
        for (file, tree) in trees.iter().enumerate() {
            for entry in entries(file, tree.get_ref()) {
                match entry.value.value {
                    DeValue::Table(members) if kinds.contains(&entry.key.value) => {
                        let known = raw.components.entry(entry.key.value).or_default();
                        for member in entries(file, members) {
                            add_once(known, member, entry.key.value, diagnostics);
                        }
                    }
                    DeValue::Array(tests) if entry.key.value == "tests" => {
                        let test = |test: &'a Spanned<DeValue<'a>>| Located {
                            value: test.get_ref(),
                            place: Place::new(file, test.span()),
                        };
                        raw.tests.extend(tests.iter().map(test));
                    }
                    _ => add_once(&mut raw.settings, entry, "the config", diagnostics),
                }
            }
        }
        raw
    }
}

/// Adds an entry, or says that another file has it already.
fn add_once<'a>(
    known: &mut Vec<Entry<'a>>,
    entry: Entry<'a>,
    parent: &str,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match known.iter().find(|other| other.key.value == entry.key.value) {
        None => known.push(entry),
        Some(other) => diagnostics.push(
            Diagnostic::error(format!("`{}` stands twice in {parent}", entry.key.value))
                .at(entry.key.place, "here again")
                .at(other.key.place, "first here")
                .help("all files together are one config; keep one of the two or give it another name"),
        ),
    }
}
