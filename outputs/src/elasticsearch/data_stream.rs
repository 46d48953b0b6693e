//! Names of data streams: `logs-<dataset>-<namespace>`.
//!
//! Owns: [`data_stream_name`] (the naming rules of the Elastic Common Schema, "Data stream fields").
//! Promises: whatever the parts hold, the name is one that the store accepts and that can stand in a path and in a
//! JSON string as it is.
//! Never: lets a part reach another data stream type.

/// Longest dataset or namespace, in bytes.
const PART_MAX: usize = 100;

/// The data stream of a dataset and a namespace. Characters that a name may not have become `_`.
#[must_use]
pub fn data_stream_name(dataset: &[u8], namespace: &[u8]) -> String {
    let mut name = String::from("logs-");
    push_part(dataset, "generic", &mut name);
    name.push('-');
    push_part(namespace, "default", &mut name);
    name
}

fn push_part(part: &[u8], default: &str, name: &mut String) {
    let start = name.len();
    for character in String::from_utf8_lossy(part).chars().flat_map(char::to_lowercase) {
        let character = if is_allowed(character) { character } else { '_' };
        if name.len() - start + character.len_utf8() > PART_MAX {
            break;
        }
        name.push(character);
    }
    if name.len() == start {
        name.push_str(default);
    }
}

/// Whether the store, a path and a JSON string take the character as it is.
fn is_allowed(character: char) -> bool {
    !character.is_control() && !character.is_whitespace() && !r#"-\/*?"<>|,#:%+&'"#.contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cleans_what_the_store_refuses() {
        for (dataset, namespace, expected) in [
            ("nginx.access", "default", "logs-nginx.access-default"),
            ("", "", "logs-generic-default"),
            ("Shop API", "Prod-EU", "logs-shop_api-prod_eu"),
            ("a/../b?c=d#e", "x:y", "logs-a_.._b_c=d_e-x_y"),
            ("größe", "*", "logs-größe-_"),
        ] {
            assert_eq!(data_stream_name(dataset.as_bytes(), namespace.as_bytes()), expected);
        }
    }

    proptest! {
        #[test]
        fn any_parts_make_a_valid_name(dataset: Vec<u8>, namespace: Vec<u8>) {
            let name = data_stream_name(&dataset, &namespace);
            prop_assert_eq!(name.matches('-').count(), 2);
            prop_assert!(name.len() <= 5 + 2 * PART_MAX + 1);
            prop_assert_eq!(name.to_lowercase(), name.clone());
            prop_assert!(!name.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ',', '#', ':', ' ']));
        }
    }
}
