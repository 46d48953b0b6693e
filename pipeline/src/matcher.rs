//! The matching language: which events a step, a route or a rule is about.
//!
//! Owns: [`Condition`], what is asked and what it means, and why it is so, [`Item`], by which `field|modifier = value` becomes one, and
//! [`Index`] with its [`Matcher`], which answer thousands of conditions at a time.
//! Promises: one meaning everywhere: [`Condition::is_true`] for a single condition, [`Matcher::matches`] for many, with
//! the same answers; no allocation per event in steady state, but for an expression on a text with JSON escapes; a
//! test takes at most the time of its own length times the text's, and memory is bounded before the first event.
//! Never: changes an event; knows how conditions are written down.
//!
//! A step with `when` holds a [`Condition`]. Routes and rules build one [`Index`] of all their conditions, share it,
//! and give each worker a [`Matcher`]: the first number that it gives is the first condition that is true.

mod condition;
mod expression;
mod index;
mod item;
mod modifier;
mod network;
mod number;
mod pattern;
mod reason;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub use condition::{Condition, Place, Predicate, Reference, Relation, Test};
pub use expression::{Expression, Flags};
pub use index::{Index, IndexError, Matcher};
pub use item::{Item, ItemError, Literal, Placeholders};
pub use modifier::{MODIFIERS, Modifier};
pub use network::{Network, NetworkError};
pub use number::Number;
pub use pattern::{PATTERN_CHARACTERS_MAX, Pattern, Piece, literal, pieces};
pub use value::LINE;
pub(crate) use value::number_of;
