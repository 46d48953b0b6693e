//! `[routes.NAME]`.
//!
//! Owns: the keys of a route: its mode, and a condition for each of its ports.
//! Promises: ports stand in the order in which they are written, which is the order in which they are asked.
//! Never: sends an event.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::router::{Route, RouteMode};

use super::component::Fed;
use super::conditions::WrittenCondition;
use super::decode::{Decoder, Found, Given};
use super::error::Diagnostic;
use super::graph::is_name;
use super::raw::Entry;
use super::schema::{Key, SectionKind, Table, table};
use super::value::{Value, Words};

/// The one kind of route.
pub(crate) const ROUTE: SectionKind = SectionKind {
    header: "routes.NAME",
    component: None,
    summary: "Sends events on by conditions. Its ports are read as `NAME.PORT`, what none takes as `NAME.rest`.",
    shared: &[Fed::KEYS],
    keys: &[RouteKeys::KEYS, PORTS],
};

table! {
    /// The keys of a route, besides its inputs and ports.
    struct RouteKeys {
        /// By which ports an event leaves whose conditions are true: "first" or "all".
        mode: RouteMode = "first",
    }
}

/// What stands for the ports in the reference.
const PORTS: &[Key] = &[Key::of::<Option<WrittenCondition>>(
    "PORT",
    "Under a name of its own: the events that leave by this port. The first in the order of the config is asked first.",
    &[],
)];

/// The port for what no other takes.
const REST: &str = "rest";

impl Words for RouteMode {
    const WORDS: &'static [(&'static str, Self)] = &[("first", Self::First), ("all", Self::All)];
}

/// The route of a section, and its ports as inputs name them; what is wrong goes to the decoder.
pub(crate) fn decode(
    name: &str,
    number: usize,
    found: &Found<'_>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> (Option<Route>, RouteMode, Vec<String>) {
    let mode = RouteKeys::decode(found, decoder).map(|keys| keys.mode);
    let own = ROUTE.all_keys().map(|key| key.name).filter(|key| *key != PORTS[0].name).collect::<Vec<_>>();
    let mut written =
        found.entries.iter().filter(|entry| !own.contains(&entry.key.value)).collect::<Vec<_>>();
    written.sort_by_key(|entry| entry.key.place);
    if written.is_empty() {
        decoder.report(
            Diagnostic::error(format!("{} has no ports", found.name.value))
                .at(found.name.place, "expected `PORT = …` here, a condition"),
        );
    }
    let names = written.iter().map(|entry| entry.key.value).filter(|port| *port != REST);
    let ports = names.chain([REST]).map(|port| format!("{name}.{port}")).collect();
    // Everything that is wrong is told, so all ports are looked at before the first that failed counts.
    let conditions = written.iter().map(|entry| port(entry, found, keys, decoder)).collect::<Vec<_>>();
    let conditions = conditions.into_iter().collect::<Option<Vec<_>>>();
    let route = conditions.zip(mode).filter(|(conditions, _)| !conditions.is_empty());
    let route = route.and_then(|(conditions, mode)| match Route::new(number, name, mode, conditions) {
        Ok(route) => Some(route),
        Err(error) => {
            decoder.report(Diagnostic::error(error.to_string()).at(found.name.place, "these are too many"));
            None
        }
    });
    (route, mode.unwrap_or(RouteMode::First), ports)
}

fn port(
    entry: &Entry<'_>,
    found: &Found<'_>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<(String, logweir_pipeline::matcher::Condition)> {
    let name = entry.key.value;
    if name == REST || !is_name(name) {
        decoder.report(Diagnostic::error(format!("`{name}` cannot be the name of a port")).at(
            entry.key.place,
            "expected letters, digits, `_` and `-`, and not `rest`, which is there anyway",
        ));
        return None;
    }
    let key = Key { name: "PORT", ..PORTS[0] };
    let (value, place) = (entry.value.value, entry.value.place);
    let given = Given { value, place, key: &key, table: found.name.value };
    Some((name.to_owned(), WrittenCondition::decode(given, decoder)?.checked(keys, decoder)?))
}
