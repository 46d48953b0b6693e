//! `[outputs.NAME]`.
//!
//! Owns: the keys of every kind of output and their checked values.
//! Promises: two outputs never write one file.
//! Never: opens a file or a connection for writing.

use std::sync::Arc;

use logweir_outputs::console::{ConsoleConfig, ConsoleEncoding};
use logweir_outputs::driver::DriverConfig;
use logweir_outputs::elasticsearch::{
    Auth, Compression, ElasticsearchClient, ElasticsearchConfig, ElasticsearchConfigError, Tls,
};
use logweir_outputs::file::{FileConfig, FileEncoding, PathTemplate};
use logweir_outputs::lane::LaneConfig;
use logweir_outputs::output::{OutputConfig, OutputKind};
use logweir_pipeline::Keys;

use super::decode::Decoder;
use super::error::{Diagnostic, Place};
use super::schema::{Key, Kind, SectionKind};
use super::section::Section;

const COMMON: &[Key] = &[
    Key::required("type", Kind::Choice(&["elasticsearch", "file", "console"]), "What kind of output it is."),
    Key::required("inputs", Kind::Inputs, "Names of the sources and transforms whose events it takes."),
    Key::default("batch_bytes", Kind::Bytes(4096), "\"5MB\"", "Most bytes of one batch."),
    Key::default("batch_events", Kind::Integer(1, 1_000_000), "50000", "Most events of one batch."),
    Key::default(
        "flush_after",
        Kind::Duration,
        "\"200ms\"",
        "Longest time that an event waits for its batch to fill.",
    ),
    Key::default(
        "queue_bytes",
        Kind::Bytes(4096),
        "\"16MiB\"",
        "Most encoded bytes that wait; when they are used up, this output makes its sources wait.",
    ),
];

const ELASTICSEARCH: &[Key] = &[
    Key::required("urls", Kind::Urls, "Addresses of the nodes; each batch goes to one that answers."),
    Key::optional("username", Kind::Text, "User name of basic authentication."),
    Key::optional("password", Kind::Secret, "Password of basic authentication."),
    Key::optional("api_key", Kind::Secret, "API key, encoded as Elasticsearch shows it."),
    Key::optional("bearer_token", Kind::Secret, "Bearer token."),
    Key::optional(
        "ca_file",
        Kind::ExistingFile,
        "Certificates (PEM) of authorities to trust besides the public ones.",
    ),
    Key::optional("client_certificate", Kind::ExistingFile, "Own certificate (PEM)."),
    Key::optional("client_key", Kind::ExistingFile, "Key of the own certificate (PEM)."),
    Key::default(
        "compression",
        Kind::Choice(&["auto", "gzip", "none"]),
        "\"auto\"",
        "Whether to compress requests; \"auto\" does, except to this host.",
    ),
    Key::default("request_timeout", Kind::Duration, "\"60s\"", "Time for one request and its answer."),
    Key::default("use_proxy", Kind::Bool, "false", "Whether to use the proxies that the environment names."),
    Key::default(
        "concurrency_max",
        Kind::Integer(1, 64),
        "8",
        "Most requests at once; fewer while the store is slow.",
    ),
];

const FILE: &[Key] = &[
    Key::required(
        "path",
        Kind::Path,
        "File to write. `{service.name}` stands for a field, `{@timestamp|%Y-%m-%d}` for a part of the time.",
    ),
    Key::default(
        "format",
        Kind::Choice(&["ndjson", "raw"]),
        "\"ndjson\"",
        "One JSON document a line, or the line as it was read.",
    ),
    Key::optional(
        "rotate_bytes",
        Kind::Bytes(4096),
        "Size at which the file is rotated. Absent: never by size.",
    ),
    Key::optional("rotate_after", Kind::Duration, "Age at which the file is rotated. Absent: never by age."),
    Key::default("gzip_rotated", Kind::Bool, "false", "Whether to compress rotated files with gzip."),
    Key::default(
        "open_files_max",
        Kind::Integer(1, 4096),
        "64",
        "Most files open at once; the one unused for longest is closed for another.",
    ),
];

const CONSOLE: &[Key] = &[Key::default(
    "format",
    Kind::Choice(&["auto", "short", "ndjson"]),
    "\"auto\"",
    "\"short\" is a coloured line for people; \"auto\" is that on a terminal and NDJSON otherwise.",
)];

/// The kinds of outputs.
pub(crate) const KINDS: &[SectionKind] = &[
    SectionKind {
        header: "outputs.NAME",
        component: Some("elasticsearch"),
        summary: "Stores events in data streams `logs-DATASET-NAMESPACE` of Elasticsearch or OpenSearch.",
        keys: &[COMMON, ELASTICSEARCH],
    },
    SectionKind {
        header: "outputs.NAME",
        component: Some("file"),
        summary: "Writes events to files.",
        keys: &[COMMON, FILE],
    },
    SectionKind {
        header: "outputs.NAME",
        component: Some("console"),
        summary: "Writes events to standard output.",
        keys: &[COMMON, CONSOLE],
    },
];

/// An output of the config.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) name: String,
    /// When its batches close, how much may wait, how it sends.
    pub(crate) config: OutputConfig,
    /// What it writes to.
    pub(crate) kind: OutputKind,
    /// Where its path stands in the config, if it has one.
    path_place: Place,
}

/// The output of a section of type `component`; what is wrong goes to the decoder.
pub(crate) fn from_section(
    name: &str,
    component: &str,
    section: &Section,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Output> {
    let lane = LaneConfig {
        batch_bytes: section.size("batch_bytes")?,
        batch_events: section.number("batch_events")?,
        flush_after: section.duration("flush_after")?,
        queue_bytes: section.size("queue_bytes")?,
        ..LaneConfig::default()
    };
    let concurrency_max = section.number("concurrency_max").unwrap_or(1);
    let driver = DriverConfig { concurrency_max, ..DriverConfig::default() };
    let kind = match component {
        "elasticsearch" => OutputKind::Elasticsearch(elasticsearch(section, decoder)?),
        "file" => OutputKind::File(file(section, keys, decoder)?),
        _ => OutputKind::Console(console(section)?),
    };
    let (config, path_place) = (OutputConfig { lane, driver }, section.place_of("path"));
    Some(Output { name: name.to_owned(), config, kind, path_place })
}

fn elasticsearch(section: &Section, decoder: &mut Decoder<'_>) -> Option<ElasticsearchConfig> {
    let compression = match section.text("compression")?.as_str() {
        "gzip" => Compression::Gzip,
        "none" => Compression::None,
        _ => Compression::Auto,
    };
    let config = ElasticsearchConfig {
        urls: section.list("urls")?,
        auth: auth(section, decoder)?,
        tls: tls(section, decoder)?,
        compression,
        request_timeout: section.duration("request_timeout")?,
        use_proxy: section.bool("use_proxy")?,
    };
    match ElasticsearchClient::new(&config) {
        Ok(_) => Some(config),
        Err(error) => {
            let urls = section.texts("urls").unwrap_or_default();
            let place = match &error {
                ElasticsearchConfigError::BadUrl { place, .. }
                | ElasticsearchConfigError::CredentialsInUrl { place } => {
                    urls.get(place - 1).map_or(section.place, |url| url.place)
                }
                _ => section.place,
            };
            decoder.report(Diagnostic::error(error.to_string()).at(place, "this cannot be used"));
            None
        }
    }
}

/// At most one way to say who we are.
fn auth(section: &Section, decoder: &mut Decoder<'_>) -> Option<Auth> {
    let ways = ["username", "api_key", "bearer_token"];
    let mut set = ways.into_iter().filter(|key| section.is_set(key));
    if let (Some(first), Some(second)) = (set.next(), set.next()) {
        decoder.report(
            Diagnostic::error(format!("both `{first}` and `{second}` say who this is"))
                .at(section.place_of(second), "expected one of the two")
                .at(section.place_of(first), "the other"),
        );
        return None;
    }
    match (section.text("username"), section.secret("password")) {
        (Some(user), Some(password)) => {
            return Some(Auth::Basic { user, password: password.expose().to_owned() });
        }
        (None, None) => {}
        (user, _) => {
            let (there, missing) =
                if user.is_some() { ("username", "password") } else { ("password", "username") };
            decoder.report(
                Diagnostic::error(format!("`{there}` without `{missing}`"))
                    .at(section.place_of(there), format!("expected `{missing}` beside it")),
            );
            return None;
        }
    }
    if let Some(key) = section.secret("api_key") {
        return Some(Auth::ApiKey(key.expose().to_owned()));
    }
    Some(section.secret("bearer_token").map_or(Auth::None, |token| Auth::Bearer(token.expose().to_owned())))
}

fn tls(section: &Section, decoder: &mut Decoder<'_>) -> Option<Tls> {
    let authorities = read(section, "ca_file", decoder)?;
    let certificate = read(section, "client_certificate", decoder)?;
    let key = read(section, "client_key", decoder)?;
    if certificate.is_some() != key.is_some() {
        let there = if key.is_some() { "client_key" } else { "client_certificate" };
        decoder.report(
            Diagnostic::error("`client_certificate` and `client_key` belong together")
                .at(section.place_of(there), "expected the other beside it"),
        );
        return None;
    }
    let identity = certificate.zip(key).map(|(certificate, key)| [certificate, key].join(&b'\n'));
    Some(Tls { authorities, identity })
}

/// The content of the file that a key names; `Some(None)` when the key is absent.
fn read(section: &Section, key: &str, decoder: &mut Decoder<'_>) -> Option<Option<Vec<u8>>> {
    let Some(path) = section.path(key) else {
        return Some(None);
    };
    match std::fs::read(&path) {
        Ok(content) => Some(Some(content)),
        Err(error) => {
            decoder.report(
                Diagnostic::error(format!("cannot read `{}`: {error}", path.display()))
                    .at(section.place_of(key), "expected a file that this user may read"),
            );
            None
        }
    }
}

fn file(section: &Section, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<FileConfig> {
    let path = section.path("path")?.to_string_lossy().into_owned();
    if let Err(error) = PathTemplate::new(&path, keys) {
        decoder.report(
            Diagnostic::error(format!("`path` is no template: {error}"))
                .at(section.place_of("path"), "this cannot be used"),
        );
        return None;
    }
    Some(FileConfig {
        path,
        encoding: if section.text("format")? == "raw" { FileEncoding::Raw } else { FileEncoding::Json },
        rotate_bytes: section.bytes("rotate_bytes"),
        rotate_after: section.duration("rotate_after"),
        gzip_rotated: section.bool("gzip_rotated")?,
        open_files_max: section.number("open_files_max")?,
    })
}

fn console(section: &Section) -> Option<ConsoleConfig> {
    let encoding = match section.text("format")?.as_str() {
        "short" => ConsoleEncoding::Short,
        "ndjson" => ConsoleEncoding::Json,
        _ => ConsoleEncoding::Auto,
    };
    Some(ConsoleConfig { encoding })
}

impl Output {
    /// The path that a file output writes.
    fn file(&self) -> Option<&str> {
        match &self.kind {
            OutputKind::File(config) => Some(&config.path),
            _ => None,
        }
    }
}

/// Two outputs that write one file would write into each other's lines.
pub(crate) fn check_shared_files(outputs: &[Output], decoder: &mut Decoder<'_>) {
    for (index, output) in outputs.iter().enumerate() {
        let Some(path) = output.file() else { continue };
        if let Some(first) = outputs[..index].iter().find(|other| other.file() == Some(path)) {
            decoder.report(
                Diagnostic::error(format!("two outputs write `{path}`"))
                    .at(output.path_place, "expected another file")
                    .at(first.path_place, "the first output")
                    .help("let one output take the events of both: `inputs` is a list"),
            );
        }
    }
}
