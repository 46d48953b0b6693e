//! The modifiers of a field's name: `field|contains|all`.
//!
//! Owns: [`Modifier`], the names of all of them, and what each means in a sentence.
//! Promises: every modifier has one name (`wide` and `utf16le` are two that mean the same).
//! Never: does what a modifier means.

/// Declares the modifiers: each with its meaning and its names, the usual one first.
macro_rules! modifiers {
    ($($(#[doc = $summary:literal])+ $modifier:ident = $($name:literal),+;)+) => {
        /// What is between the bars after a field's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Modifier {
            $($(#[doc = $summary])+ $modifier,)+
        }

        /// All modifiers by their names.
        pub const MODIFIERS: &[(&str, Modifier)] = &[$($(($name, Modifier::$modifier),)+)+];

        impl Modifier {
            /// What it means, in a sentence.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$modifier => concat!($($summary),+).trim_ascii(),)+
                }
            }
        }
    };
}

modifiers! {
    /// The value stands anywhere in the field.
    Contains = "contains";
    /// The field begins with the value.
    StartsWith = "startswith";
    /// The field ends with the value.
    EndsWith = "endswith";
    /// Every value is needed, not only one.
    All = "all";
    /// The answer is turned round.
    NotEqual = "neq";
    /// Upper and lower case differ.
    Cased = "cased";
    /// The value is a regular expression.
    Expression = "re";
    /// The expression takes upper and lower case as one.
    IgnoreCase = "i";
    /// The expression's `^` and `$` match at line ends.
    MultiLine = "m";
    /// The expression's `.` matches a line end.
    DotAll = "s";
    /// The value is a network of IP addresses.
    Network = "cidr";
    /// The field is greater than the value.
    Greater = "gt";
    /// The field is greater than the value or equal.
    GreaterOrEqual = "gte";
    /// The field is less than the value.
    Less = "lt";
    /// The field is less than the value or equal.
    LessOrEqual = "lte";
    /// The value says whether the field must be there.
    Exists = "exists";
    /// The value names another field.
    FieldReference = "fieldref";
    /// Names between `%` in the value stand for lists of values.
    Expand = "expand";
    /// A dash before a word is any of the characters that Windows takes for one.
    WindowsDash = "windash";
    /// The value is sought in Base64.
    Base64 = "base64";
    /// The value is sought in the Base64 of something that holds it.
    Base64Offset = "base64offset";
    /// The value is UTF-16, low byte first, before it becomes Base64.
    Utf16LittleEndian = "wide", "utf16le";
    /// The value is UTF-16, high byte first, before it becomes Base64.
    Utf16BigEndian = "utf16be";
    /// The value is UTF-16 with a byte order mark before it becomes Base64.
    Utf16 = "utf16";
}

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
