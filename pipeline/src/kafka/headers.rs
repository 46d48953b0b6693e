//! The headers of a record of logweir: what the output `kafka` writes and the source `kafka` reads.
//!
//! Owns: their names, and the kinds of values.
//! Never: reads or writes a record.

/// The identity of a record's event, as text; a record of several documents has it in each of them.
pub const ORIGIN: &str = "logweir-origin";
/// The name of the source that read the event; every record of logweir has it.
pub const SOURCE: &str = "source";
/// How the value is to be read: one of the kinds below.
pub const CONTENT_TYPE: &str = "content-type";
/// The trace and the span of a record's event (W3C Trace Context), where it has them.
pub const TRACEPARENT: &str = "traceparent";

/// A value that is one document.
pub const JSON: &[u8] = b"application/json";
/// A value that is a document a line.
pub const NDJSON: &[u8] = b"application/x-ndjson";
/// A value that is the line as it was read.
pub const PLAIN_TEXT: &[u8] = b"text/plain";
