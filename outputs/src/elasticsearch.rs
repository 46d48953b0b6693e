//! The output `elasticsearch`: documents into data streams by `_bulk`, with Elasticsearch and OpenSearch.
//!
//! Owns: one file each for the configuration, the body, the names of data streams, the nodes, the request and the
//! meaning of its answer.
//! Promises: every document is created under an identity that follows from its origin, so whatever is sent twice is
//! stored once.
//! Never: needs more of a store than `_bulk`.

mod bulk;
mod client;
mod config;
mod data_stream;
mod nodes;
mod response;

pub use bulk::BulkEncoder;
pub use client::ElasticsearchClient;
pub use config::{Auth, Compression, ElasticsearchConfig, ElasticsearchConfigError, Tls};
pub use data_stream::data_stream_name;
