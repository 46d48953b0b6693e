//! `sigma`: rules in files of Sigma.
//!
//! Owns: finding the files, the names that fields of Sigma have here, and telling of rules that cannot be loaded.
//! Promises: a rule that cannot be loaded is told by file, title and reason, as a warning, and the rest loads; one for another
//! log source is left out, as its condition would mean something else here.
//! Never: looks at an event.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::matcher::Condition;
use logweir_pipeline::rule::{Limits, SigmaConfig, SigmaRules};
use logweir_pipeline::sigma::{self, LogSource, Options, Refused, RuleSet};
use logweir_pipeline::watermark::TimeLimits;

use super::super::decode::Decoder;
use super::super::error::{Diagnostic, Place};
use super::super::value::At;
use super::super::value::tables::Nested;
use super::keys::{LogSourceKeys, SigmaKeys};

/// Rules that cannot be loaded and are told one by one; of further ones only how many there are.
const TOLD_MAX: usize = 20;
/// Files of one section.
const FILES_MAX: usize = 100_000;

/// The names that fields of Sigma's taxonomy for web servers, proxies and processes have in ECS.
const FIELDS: &[(&str, &str)] = &[
    ("c-ip", "source.ip"),
    ("c-uri", "url.original"),
    ("c-uri-query", "url.query"),
    ("c-useragent", "user_agent.original"),
    ("cs-host", "url.domain"),
    ("cs-method", "http.request.method"),
    ("cs-referer", "http.request.referrer"),
    ("cs-referrer", "http.request.referrer"),
    ("cs-uri", "url.original"),
    ("cs-uri-query", "url.query"),
    ("cs-uri-stem", "url.path"),
    ("cs-user-agent", "user_agent.original"),
    ("cs-username", "user.name"),
    ("sc-bytes", "http.response.body.bytes"),
    ("sc-status", "http.response.status_code"),
    ("CommandLine", "process.command_line"),
    ("Image", "process.executable"),
    ("ParentCommandLine", "process.parent.command_line"),
    ("ParentImage", "process.parent.executable"),
    ("User", "user.name"),
];

/// The rules that the keys name; what is wrong goes to the decoder.
pub(super) fn load(
    name: &str,
    written: At<Nested<SigmaKeys>>,
    condition: Option<Condition>,
    bounds: (TimeLimits, Limits),
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<SigmaConfig> {
    let At { value: Nested(written), place } = written;
    let log_source = log_source(written.log_source.0, place, decoder)?;
    let own = written.fields.map(|fields| fields.0).unwrap_or_default();
    let field_names = |field: &str, _: &LogSource| {
        let own = own.iter().map(|name| (name.value.0.as_str(), name.value.1.as_str()));
        let mut names = own.chain(FIELDS.iter().copied()).filter(|(known, _)| *known == field);
        names.next().map(|(_, name)| name.to_owned()).into_iter().collect()
    };
    let placeholders = written.placeholders.map(|lists| lists.read(decoder).ok_or(())).transpose().ok()?;
    let files = files(&written.paths, decoder)?;
    let options = Options {
        file_bytes_max: sigma::FILE_BYTES_MAX,
        field_names: &field_names,
        keys,
        placeholders: &placeholders.unwrap_or_default(),
    };
    let (set, mut refused) = RuleSet::load(files, &options);
    let config = match SigmaConfig::new(name.to_owned(), condition, bounds, set, &log_source) {
        Ok((config, others)) => {
            refused.extend(others);
            Some(config)
        }
        Err(error) => {
            decoder.report(Diagnostic::error(error.to_string()).at(place, "these are too many"));
            None
        }
    };
    tell(&refused, place, decoder);
    let config = config?;
    if config.rules() == 0 {
        decoder.report(
            Diagnostic::error("there is no rule for this log source")
                .at(place, "expected rules that are for it")
                .help("a rule is for it when its `logsource` says nothing else than `log_source` here"),
        );
        return None;
    }
    match SigmaRules::operator(config.clone()) {
        Ok(_) => Some(config),
        Err(error) => {
            decoder.report(Diagnostic::error(format!("{name}: {error}")).at(place, "in this rule"));
            None
        }
    }
}

fn log_source(keys: LogSourceKeys, place: Place, decoder: &mut Decoder<'_>) -> Option<LogSource> {
    let LogSourceKeys { category, product, service } = keys;
    if category.is_none() && product.is_none() && service.is_none() {
        decoder.report(
            Diagnostic::error("`log_source` says nothing")
                .at(place, "expected `category`, `product` or `service` in it, such as { product = \"linux\", service = \"sshd\" }"),
        );
        return None;
    }
    Some(LogSource { category, product, service })
}

/// Warns of rules that were not loaded.
fn tell(problems: &[Refused], place: Place, decoder: &mut Decoder<'_>) {
    for problem in problems.iter().take(TOLD_MAX) {
        decoder
            .report(Diagnostic::warning(format!("a rule is not loaded: {problem}")).at(place, "from here"));
    }
    if problems.len() > TOLD_MAX {
        let rest = problems.len() - TOLD_MAX;
        decoder.report(
            Diagnostic::warning(format!("{rest} further rules are not loaded")).at(place, "from here"),
        );
    }
}

/// The texts of the files, with their paths, in the order of the paths.
fn files(paths: &At<Vec<At<String>>>, decoder: &mut Decoder<'_>) -> Option<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for path in &paths.value {
        let resolved = decoder.resolve(path.place, &path.value);
        let mut found = Vec::new();
        let read = find(&resolved, &mut found).and_then(|()| {
            found.sort();
            found
                .iter()
                .map(|file| Ok((file.display().to_string(), read_text(file)?)))
                .collect::<io::Result<Vec<_>>>()
        });
        match read {
            Ok(read) => texts.extend(read),
            Err(error) => {
                decoder.report(
                    Diagnostic::error(format!("cannot read `{}`: {error}", resolved.display())).at(
                        path.place,
                        "expected a file, or a folder with files that end in `.yml`, that this user may read",
                    ),
                );
                return None;
            }
        }
    }
    Some(texts)
}

/// A file, or those below a folder.
fn find(path: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if found.len() >= FILES_MAX {
        return Err(io::Error::other(format!("there are more than {FILES_MAX} files")));
    }
    if !fs::metadata(path)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let path = entry.path();
        let is_rule = path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
        // A link to a folder could lead back here.
        if entry.file_type()?.is_dir() || is_rule {
            find(&path, found)?;
        }
    }
    Ok(())
}

/// The text of a file, as far as a loader that refuses long ones needs it.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut bytes = Vec::new();
    let most = sigma::FILE_BYTES_MAX as u64 + 1;
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
