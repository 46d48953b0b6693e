//! `geoip`: where an IP address is, and whose network it is in, from a file in MaxMind's format.
//!
//! Owns: [`GeoIp`], the fields that it sets, and what it reads of the file's records: those of the databases City, Country,
//! Enterprise, ASN and ISP, and of others with the same names.
//! Promises: the file is read again when it changes; one that cannot be used leaves the one from before in force; an
//! address that the file does not know gives nothing; a value that is no address is marked.
//! Never: maps the file into memory, where a change would show through.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logweir_parsers::KeyId;
use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

use super::findings::{Caches, Finding, Findings, set};
use super::loaded_file::{FileError, LoadedFile, read_file};
use super::{Bench, Step, read};
use crate::event::Batch;

/// What a lookup of addresses needs to know.
#[derive(Clone, Debug)]
pub struct GeoIpConfig {
    /// The fields with addresses; for each the fields that are set, in the order of [`GeoIp::FIELDS`].
    pub fields: Vec<(KeyId, Vec<KeyId>)>,
    /// The database.
    pub file: PathBuf,
    /// The language of names, such as `en`.
    pub language: String,
    /// How often the file is looked at.
    pub reload_after: Duration,
    /// The largest file that is read, in bytes.
    pub bytes_max: u64,
    /// Addresses that each worker remembers.
    pub cache_max: usize,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoIpError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no database.
    #[error("it is no MaxMind database: {0}")]
    Format(#[from] MaxMindDbError),
}

/// Sets fields by what a database says of addresses.
pub struct GeoIp {
    config: GeoIpConfig,
    database: LoadedFile<Database>,
    caches: Caches<Database>,
}

type Database = Reader<Vec<u8>>;

impl GeoIp {
    /// What is set of an address, by names that follow that of the object the address belongs to (ECS `geo` and `as`).
    pub const FIELDS: [&str; 12] = [
        "geo.continent_code",
        "geo.continent_name",
        "geo.country_iso_code",
        "geo.country_name",
        "geo.region_iso_code",
        "geo.region_name",
        "geo.city_name",
        "geo.postal_code",
        "geo.timezone",
        "geo.location",
        "as.number",
        "as.organization.name",
    ];

    /// Reads the database.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or is no such database.
    pub fn new(config: GeoIpConfig) -> Result<Self, GeoIpError> {
        let load = |path: &Path| load(path, config.bytes_max);
        let database = LoadedFile::new(config.file.clone(), config.reload_after, load)?;
        Ok(Self { database, caches: Caches::new(config.cache_max), config })
    }
}

impl fmt::Debug for GeoIp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GeoIp").field("config", &self.config).finish_non_exhaustive()
    }
}

fn load(path: &Path, bytes_max: u64) -> Result<Database, GeoIpError> {
    Ok(Reader::from_source(read_file(path, bytes_max)?)?)
}

impl Step for GeoIp {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let database = self.database.get(batch.read_at, |path| load(path, self.config.bytes_max));
        let mut cache = self.caches.take(database);
        for (field, keys) in &self.config.fields {
            for index in selected.iter().map(|&index| index as usize) {
                let Some(text) = read::text(batch, index, *field, &mut bench.room) else { continue };
                let address = std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
                let Some(address) = address.map(|address| address.to_canonical()) else {
                    bench.fail(batch, index, *field, "is not an IP address");
                    continue;
                };
                let language = &self.config.language;
                match cache.get(key_of(address), |database| findings(database, address, language)) {
                    Some(findings) => set(findings, keys, batch, index),
                    None => {
                        bench.fail(batch, index, *field, "has a record in the database that cannot be read");
                    }
                }
            }
        }
        self.caches.give_back(cache);
    }
}

/// The address as a number; those of version 4 have the place that the internet gives them in version 6.
fn key_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The parts of a record that are of use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    continent: Named<'a>,
    country: Named<'a>,
    subdivisions: Vec<Named<'a>>,
    city: Named<'a>,
    postal: Named<'a>,
    location: Location<'a>,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<&'a str>,
}

/// A place with a code and names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    code: Option<&'a str>,
    iso_code: Option<&'a str>,
    #[serde(borrow)]
    names: BTreeMap<&'a str, &'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location<'a> {
    latitude: Option<f64>,
    longitude: Option<f64>,
    time_zone: Option<&'a str>,
}

/// What the database says of an address; nothing when it does not know it, `None` when its record cannot be read.
fn findings(database: &Database, address: IpAddr, language: &str) -> Option<Findings> {
    // A database of version 4 knows no address of version 6.
    let Ok(found) = database.lookup(address) else { return Some(Findings::new()) };
    let Some(record) = found.decode::<Record<'_>>().ok()? else { return Some(Findings::new()) };
    let name = |place: &Named<'_>| place.names.get(language).map(|name| text(name));
    let region = record.subdivisions.first();
    let region_code = region.and_then(|region| region.iso_code).zip(record.country.iso_code);
    let found = [
        record.continent.code.map(text),
        name(&record.continent),
        record.country.iso_code.map(text),
        name(&record.country),
        region_code.map(|(region, country)| text(&format!("{country}-{region}"))),
        region.and_then(name),
        name(&record.city),
        record.postal.code.map(text),
        record.location.time_zone.map(text),
        location(&record.location),
        record.autonomous_system_number.map(|number| Finding::Integer(number.into())),
        record.autonomous_system_organization.map(text),
    ];
    Some(found.into_iter().enumerate().filter_map(|(place, found)| Some((place, found?))).collect())
}

fn text(text: &str) -> Finding {
    Finding::Text(text.into())
}

/// A point as Elasticsearch's type `geo_point` takes it.
fn location(location: &Location<'_>) -> Option<Finding> {
    let [latitude, longitude] = [location.latitude?, location.longitude?];
    let (mut first, mut second) = (zmij::Buffer::new(), zmij::Buffer::new());
    let is_finite = latitude.is_finite() && longitude.is_finite();
    let (lat, lon) = (first.format(latitude), second.format(longitude));
    is_finite.then(|| Finding::Json(format!("{{\"lat\":{lat},\"lon\":{lon}}}").into()))
}
