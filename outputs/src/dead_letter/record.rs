//! One refused event.
//!
//! Owns: [`Record`] and its form as one line of JSON.
//! Promises: the document is kept byte for byte.
//! Never: holds a secret of the configuration.

use std::io;

use logweir_pipeline::time::TimeText;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::client::Document;
use crate::verdict::Refusal;

/// One refused event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// When it was refused, in RFC 3339.
    pub time: String,
    /// The output that refused it.
    pub output: String,
    /// The status in the sense of HTTP.
    pub status: u16,
    /// The reason in the store's words.
    pub reason: String,
    /// Where it was to go: the data stream or file.
    pub target: String,
    /// Its identity, or nothing.
    #[serde(default)]
    pub id: String,
    /// The document as it was sent.
    pub document: Box<RawValue>,
}

impl Record {
    /// The record of a document that `output` refused at `time`, in nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn new(time: i64, output: &str, refusal: &Refusal, target: &str, document: Document<'_>) -> Self {
        Self {
            time: String::from_utf8_lossy(TimeText::new().render(time)).into_owned(),
            output: output.to_owned(),
            status: refusal.status,
            reason: refusal.reason.clone(),
            target: target.to_owned(),
            id: document.id.to_owned(),
            document: raw_json(document.json),
        }
    }

    /// Appends the record as one line.
    pub(super) fn append_to(&self, text: &mut Vec<u8>) -> io::Result<()> {
        serde_json::to_writer(&mut *text, self)?;
        text.push(b'\n');
        Ok(())
    }
}

/// The document as it is, or as a JSON string when it is not JSON on one line.
fn raw_json(document: &[u8]) -> Box<RawValue> {
    let text = String::from_utf8_lossy(document).into_owned();
    let one_line = !text.contains('\n');
    let raw = if one_line { RawValue::from_string(text.clone()).ok() } else { None };
    raw.or_else(|| serde_json::value::to_raw_value(&text).ok()).unwrap_or_else(|| RawValue::NULL.to_owned())
}
