//! Kafka's rules for the names of topics: letters, digits, `.`, `_` and `-`, at most 249 of them, not `.` or `..`.
//!
//! Owns: these rules.
//! Never: asks a broker, which has the last word.

/// Longest name, in bytes.
pub const NAME_MAX: usize = 249;

/// Whether names may have this character. What they may have is one byte long.
#[must_use]
pub fn has_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

/// Whether it is one of the two names that folders have for themselves, which Kafka refuses.
#[must_use]
pub fn is_dots(name: &str) -> bool {
    matches!(name, "." | "..")
}
