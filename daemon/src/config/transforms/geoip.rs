//! The step `geoip`.
//!
//! Owns: its keys, and the names of the fields that it sets.
//! Promises: the database was read once before anything starts.
//! Never: touches an event.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logweir_pipeline::Keys;
use logweir_pipeline::transform::{GeoIp, GeoIpConfig, Step};

use super::super::decode::Decoder;
use super::super::error::{Diagnostic, Place};
use super::super::schema::table;
use super::super::value::{At, Bytes, Integer};
use super::{IntoStepTable, each, intern};

table! {
    /// The keys of the step `geoip`.
    pub(super) struct GeoIpKeys {
        /// Names of fields with IP addresses. Of `source.ip` are set `source.geo.*` and `source.as.*`; of a name that does not end in `.ip` the same behind the whole name.
        fields: At<Vec<At<String>>>,
        /// The database, a file in MaxMind's format: City, Country, ASN and what else has their names.
        file: At<PathBuf>,
        /// Language of the names of places, such as "en" or "de", if the database has it.
        language: String = "en",
        /// How often the file is looked at; it is read again when it changed.
        reload_after: Duration = "10s",
        /// Size of the largest file that is read.
        bytes_max: Bytes<u64, 1> = "512MiB",
        /// Addresses that each worker remembers at once.
        cache_max: Integer<usize, 2, 10_000_000> = 10000,
    }
}

impl IntoStepTable for GeoIpKeys {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let fields = each(self.fields.value, self.fields.place, decoder, |decoder, name, place| {
            let field = intern(&name, place, keys, decoder)?;
            let object = name.strip_suffix(".ip").unwrap_or(&name);
            let set =
                GeoIp::FIELDS.iter().map(|field| intern(&format!("{object}.{field}"), place, keys, decoder));
            Some((field, set.collect::<Option<_>>()?))
        });
        let At { value: file, place } = self.file;
        let path = file.display().to_string();
        let config = GeoIpConfig {
            fields: fields?,
            file,
            language: self.language,
            reload_after: self.reload_after,
            bytes_max: self.bytes_max.0,
            cache_max: self.cache_max.0,
        };
        match GeoIp::new(config) {
            Ok(step) => Some(Box::new(step)),
            Err(error) => {
                decoder.report(
                    Diagnostic::error(format!("`geoip` cannot use `{path}`: {error}"))
                        .at(place, "expected a database that this user may read, such as GeoLite2-City.mmdb"),
                );
                None
            }
        }
    }
}
