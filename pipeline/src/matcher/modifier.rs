//! The modifiers of a field's name: `field|contains|all`.
//!
//! Owns: [`Modifier`] and the names of all of them.
//! Promises: every modifier has one name (`wide` and `utf16le` are two that mean the same).
//! Never: knows what a modifier does.

/// What is between the bars after a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// The value stands anywhere in the field.
    Contains,
    /// The field begins with the value.
    StartsWith,
    /// The field ends with the value.
    EndsWith,
    /// Every value is needed, not only one.
    All,
    /// The answer is turned round.
    NotEqual,
    /// Upper and lower case differ.
    Cased,
    /// The value is a regular expression.
    Expression,
    /// The expression takes upper and lower case as one.
    IgnoreCase,
    /// The expression's `^` and `$` match at line ends.
    MultiLine,
    /// The expression's `.` matches a line end.
    DotAll,
    /// The value is a network of IP addresses.
    Network,
    /// The field is greater than the value.
    Greater,
    /// The field is greater than the value or equal.
    GreaterOrEqual,
    /// The field is less than the value.
    Less,
    /// The field is less than the value or equal.
    LessOrEqual,
    /// The value says whether the field must be there.
    Exists,
    /// The value names another field.
    FieldReference,
    /// Names between `%` in the value stand for lists of values.
    Expand,
    /// A dash before a word is any of the characters that Windows takes for one.
    WindowsDash,
    /// The value is sought in Base64.
    Base64,
    /// The value is sought in the Base64 of something that holds it.
    Base64Offset,
    /// The value is UTF-16, low byte first, before it becomes Base64.
    Utf16LittleEndian,
    /// The value is UTF-16, high byte first, before it becomes Base64.
    Utf16BigEndian,
    /// The value is UTF-16 with a byte order mark before it becomes Base64.
    Utf16,
}

/// All modifiers by their names.
pub const MODIFIERS: &[(&str, Modifier)] = &[
    ("contains", Modifier::Contains),
    ("startswith", Modifier::StartsWith),
    ("endswith", Modifier::EndsWith),
    ("all", Modifier::All),
    ("neq", Modifier::NotEqual),
    ("cased", Modifier::Cased),
    ("re", Modifier::Expression),
    ("i", Modifier::IgnoreCase),
    ("m", Modifier::MultiLine),
    ("s", Modifier::DotAll),
    ("cidr", Modifier::Network),
    ("gt", Modifier::Greater),
    ("gte", Modifier::GreaterOrEqual),
    ("lt", Modifier::Less),
    ("lte", Modifier::LessOrEqual),
    ("exists", Modifier::Exists),
    ("fieldref", Modifier::FieldReference),
    ("expand", Modifier::Expand),
    ("windash", Modifier::WindowsDash),
    ("base64", Modifier::Base64),
    ("base64offset", Modifier::Base64Offset),
    ("wide", Modifier::Utf16LittleEndian),
    ("utf16le", Modifier::Utf16LittleEndian),
    ("utf16be", Modifier::Utf16BigEndian),
    ("utf16", Modifier::Utf16),
];

impl Modifier {
    /// The modifier of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        MODIFIERS.iter().find(|(known, _)| *known == name).map(|(_, modifier)| *modifier)
    }

    /// Its (first) name.
    #[must_use]
    pub fn name(self) -> &'static str {
        MODIFIERS.iter().find(|(_, modifier)| *modifier == self).map_or("", |(name, _)| *name)
    }
}
