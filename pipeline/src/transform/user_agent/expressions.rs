//! The expressions of uap-core, compiled.
//!
//! Owns: [`Expressions`], from YAML to what they make of a text.
//! Promises: time linear in the text.
//! Never: opens a file.

use std::error::Error as _;

use ua_parser::{Extractor, Regexes};

use super::super::findings::{Finding, Findings};
use super::UserAgentError;

/// What texts are read with.
pub(super) struct Expressions(Extractor<'static>);

impl Expressions {
    /// Compiles the content of a file in the form of uap-core's `regexes.yaml`.
    pub(super) fn from_yaml(yaml: &[u8]) -> Result<Self, UserAgentError> {
        let regexes: Regexes<'static> = serde_saphyr::from_slice(yaml).map_err(|error| {
            // What follows the first line draws the file.
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            UserAgentError::Form(first.to_owned())
        })?;
        let extractor = Extractor::try_from(regexes).map_err(|error| {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            UserAgentError::Expression(cause.lines().last().unwrap_or_default().to_owned())
        })?;
        Ok(Self(extractor))
    }

    /// What they make of a text.
    pub(super) fn findings(&self, text: &str) -> Findings {
        let (agent, system, device) = self.0.extract(text);
        let agent_version = agent
            .as_ref()
            .and_then(|found| version([&found.major, &found.minor, &found.patch, &found.patch_minor]));
        let system_version = system
            .as_ref()
            .and_then(|found| version([&found.major, &found.minor, &found.patch, &found.patch_minor]));
        let system_name = system.as_ref().map(|found| &*found.os);
        let full =
            system_name.zip(system_version.as_deref()).map(|(name, version)| format!("{name} {version}"));
        let found = [
            agent.as_ref().map(|found| &*found.family),
            agent_version.as_deref(),
            system_name,
            system_version.as_deref(),
            full.as_deref().or(system_name),
            device.as_ref().map(|found| &*found.device),
        ];
        let text = |text: &str| Finding::Text(text.into());
        found.into_iter().enumerate().filter_map(|(place, found)| Some((place, text(found?)))).collect()
    }
}

/// The parts of a version, up to the first that is not there.
fn version<T: AsRef<str>>(parts: [&Option<T>; 4]) -> Option<String> {
    let known = parts
        .into_iter()
        .map_while(|part| part.as_ref().map(AsRef::as_ref).filter(|part| !part.is_empty()))
        .collect::<Vec<_>>();
    (!known.is_empty()).then(|| known.join("."))
}
