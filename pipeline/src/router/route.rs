//! A route: which of its ports an event leaves by.
//!
//! Owns: [`Route`].
//! Promises: with [`RouteMode::First`] an event leaves by the first port whose condition is true; with
//! [`RouteMode::All`] by each of them; by the last port, the rest, when none is.
//! Never: changes or drops an event.

use std::sync::Arc;

use crate::event::Batch;
use crate::matcher::{Condition, Index, IndexError, Matcher};

/// With fewer conditions, asking each is cheaper than asking for all at once (bench `matcher`).
const INDEX_FROM: usize = 8;

/// How many ports an event may leave by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMode {
    /// The first whose condition is true.
    First,
    /// All whose conditions are true.
    All,
}

/// Conditions by which events are sent on.
#[derive(Debug)]
pub struct Route {
    /// Its name in the config.
    pub name: String,
    number: usize,
    mode: RouteMode,
    ports: Vec<Arc<str>>,
    conditions: Vec<Condition>,
    index: Option<Arc<Index>>,
}

impl Route {
    /// A route with these ports, `NAME.PORT`, and then `NAME.rest`. No other route of the process has its number.
    ///
    /// # Errors
    /// When the conditions are too many or too large.
    pub fn new(
        number: usize,
        name: &str,
        mode: RouteMode,
        ports: Vec<(String, Condition)>,
    ) -> Result<Self, IndexError> {
        let (names, conditions): (Vec<_>, Vec<_>) = ports.into_iter().unzip();
        let names = names.iter().map(String::as_str).chain(["rest"]);
        let ports = names.map(|port| format!("{name}.{port}").into()).collect();
        let index =
            if conditions.len() < INDEX_FROM { None } else { Some(Arc::new(Index::new(&conditions)?)) };
        Ok(Self { name: name.to_owned(), number, mode, ports, conditions, index })
    }

    /// How many ports an event may leave by.
    #[must_use]
    pub fn mode(&self) -> RouteMode {
        self.mode
    }

    /// The name of a port, `NAME.PORT`.
    #[must_use]
    pub fn port(&self, number: usize) -> &Arc<str> {
        &self.ports[number]
    }

    /// The conditions of its ports, in the order in which they are asked; the rest has none.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The ports that an event leaves by, in order.
    #[must_use]
    pub fn ports_of(&self, batch: &Batch, index: usize) -> Vec<usize> {
        let conditions = self.conditions.iter().enumerate();
        let mut ports =
            conditions.filter(|(_, condition)| condition.is_true(batch, index)).map(|(port, _)| port);
        let mut left = match self.mode {
            RouteMode::First => ports.next().into_iter().collect::<Vec<_>>(),
            RouteMode::All => ports.collect(),
        };
        if left.is_empty() {
            left.push(self.conditions.len());
        }
        left
    }

    /// Puts each of the selected events into the selections of the ports that it leaves by. The worker's matchers stand
    /// by the numbers of routes.
    pub(super) fn split(
        &self,
        matchers: &mut Vec<Option<Matcher>>,
        batch: &Batch,
        selected: &[u32],
        ports: &mut [Vec<u32>],
    ) {
        let Some(index) = &self.index else {
            return selected.iter().for_each(|&event| self.split_one(batch, event, ports));
        };
        if matchers.len() <= self.number {
            matchers.resize_with(self.number + 1, || None);
        }
        let matcher = matchers[self.number].get_or_insert_with(|| Matcher::new(Arc::clone(index)));
        for &event in selected {
            let matched = matcher.matches(batch, event as usize);
            let most = if self.mode == RouteMode::First { 1 } else { matched.len() };
            matched.iter().take(most).for_each(|&port| ports[port as usize].push(event));
            if matched.is_empty() {
                ports[self.conditions.len()].push(event);
            }
        }
    }

    /// The same for one event, asking one condition after the other.
    #[inline]
    fn split_one(&self, batch: &Batch, event: u32, ports: &mut [Vec<u32>]) {
        let mut is_rest = true;
        for (port, condition) in self.conditions.iter().enumerate() {
            if condition.is_true(batch, event as usize) {
                ports[port].push(event);
                is_rest = false;
                if self.mode == RouteMode::First {
                    return;
                }
            }
        }
        if is_rest {
            ports[self.conditions.len()].push(event);
        }
    }
}
