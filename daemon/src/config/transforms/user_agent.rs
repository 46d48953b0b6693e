//! The step `user_agent`.
//!
//! Owns: its keys.
//! Promises: the expressions were read once before anything starts.
//! Never: touches an event.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logweir_pipeline::Keys;
use logweir_pipeline::transform::{ParseUserAgent, Step, UserAgentConfig};

use super::super::decode::Decoder;
use super::super::error::{Diagnostic, Place};
use super::super::schema::table;
use super::super::value::{At, Bytes, Integer};
use super::{IntoStepTable, intern};

table! {
    /// The keys of the step `user_agent`.
    pub(super) struct UserAgentKeys {
        /// Name of the field with what the client says.
        field: At<String> = "user_agent.original",
        /// Expressions in the form of uap-core's regexes.yaml, which github.com/ua-parser/uap-core and packages of distributions have.
        regexes: At<PathBuf>,
        /// How often the file is looked at; it is read again when it changed.
        reload_after: Duration = "10s",
        /// Size of the largest file that is read.
        bytes_max: Bytes<u64, 1> = "4MiB",
        /// Texts that each worker remembers at once.
        cache_max: Integer<usize, 2, 10_000_000> = 10000,
    }
}

impl IntoStepTable for UserAgentKeys {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let field = intern(&self.field.value, self.field.place, keys, decoder)?;
        let set = ParseUserAgent::FIELDS.iter().map(|name| intern(name, self.field.place, keys, decoder));
        let set = set.collect::<Option<_>>()?;
        let At { value: regexes, place } = self.regexes;
        let path = regexes.display().to_string();
        let config = UserAgentConfig {
            field,
            set,
            regexes,
            reload_after: self.reload_after,
            bytes_max: self.bytes_max.0,
            cache_max: self.cache_max.0,
        };
        match ParseUserAgent::new(config) {
            Ok(step) => Some(Box::new(step)),
            Err(error) => {
                decoder.report(
                    Diagnostic::error(format!("`user_agent` cannot use `{path}`: {error}")).at(
                        place,
                        "expected a file that this user may read, such as regexes.yaml of uap-core",
                    ),
                );
                None
            }
        }
    }
}
