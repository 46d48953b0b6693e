//! Events as lines.
//!
//! Owns: [`FileEncoder`].
//! Promises: a line a JSON event; the path of an event follows from the template alone; events that the journal
//! knows are skipped.
//! Never: opens a file.

use std::collections::HashMap;
use std::sync::Arc;

use logweir_pipeline::event::{JsonEncoder, Writer};
use logweir_pipeline::{Batch, Event, Keys};

use super::config::{FileConfig, FileEncoding};
use super::journal::Written;
use super::template::PathTemplate;
use crate::encode::Encode;

/// Most paths kept; above it they are forgotten and met anew.
const PATHS_MAX: usize = 4096;

/// Writes events as lines.
#[derive(Debug)]
pub struct FileEncoder {
    /// None for raw lines.
    json: Option<JsonEncoder>,
    template: PathTemplate,
    written: Arc<Written>,
    /// What of the batch's stream was written before the start.
    stored: Option<(u64, u64)>,
    paths: HashMap<String, Arc<str>>,
    path: Option<Arc<str>>,
    scratch: String,
    files_max: usize,
}

impl FileEncoder {
    /// An encoder of lines for the files of a template. What is `written` is not written again.
    #[must_use]
    pub fn new(keys: Arc<Keys>, config: &FileConfig, template: PathTemplate, written: Arc<Written>) -> Self {
        let json = (config.encoding == FileEncoding::Json).then(|| JsonEncoder::new(keys));
        let (paths, scratch, files_max) = (HashMap::new(), String::new(), config.open_files_max.max(1));
        Self { json, template, written, stored: None, paths, path: None, scratch, files_max }
    }

    fn render_path(&mut self, batch: &Batch, index: usize) -> Arc<str> {
        self.template.render(batch, index, &mut self.scratch);
        if let Some(path) = self.path.as_ref().filter(|path| ***path == *self.scratch) {
            return Arc::clone(path);
        }
        if self.paths.len() >= PATHS_MAX {
            self.paths.clear();
        }
        if let Some(path) = self.paths.get(&self.scratch) {
            return Arc::clone(path);
        }
        let path: Arc<str> = self.scratch.as_str().into();
        self.paths.insert(self.scratch.clone(), Arc::clone(&path));
        path
    }
}

impl Encode for FileEncoder {
    fn begin(&mut self, batch: &Batch) -> bool {
        self.stored = self.written.range(batch.stream.id());
        self.stored.is_some()
    }

    fn is_stored(&self, event: &Event) -> bool {
        self.stored.is_some_and(|(first, last)| (first..=last).contains(&event.offset))
    }

    fn targets_max(&self) -> usize {
        self.files_max
    }

    #[inline]
    fn target(&mut self, batch: &Batch, index: usize) -> &Arc<str> {
        if self.path.is_none() || !self.template.is_constant() {
            self.path = Some(self.render_path(batch, index));
        }
        self.path.get_or_insert_default()
    }

    #[inline]
    fn encode(&mut self, batch: &Batch, event: &Event, _target: Option<&str>, out: &mut Writer) {
        match &mut self.json {
            Some(json) => json.write(batch, event, out),
            None => out.push(event.line.of(&batch.chunk)),
        }
        out.push(b"\n");
    }
}
