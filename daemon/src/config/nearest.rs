//! The nearest right name for a wrong one.
//!
//! Owns: [`nearest`], by edit distance, and [`suggest`], the same in words.
//! Promises: proposes only a name that is near enough to be what was meant.
//! Never: changes what the config says.

/// The name nearest to `wrong`, when at most a third of its letters differ.
pub(crate) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = names.into_iter().map(|name| (distance(&wrong.to_lowercase(), name), name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= wrong.chars().count().max(name.chars().count()).div_ceil(3)).then_some(name)
}

/// For a name that is not among the known ones: what to say at its place (`otherwise` when nothing is near), and the
/// list of the known ones.
pub(crate) fn suggest<'a>(
    wrong: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    otherwise: &str,
) -> (String, String) {
    let label = match nearest(wrong, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => otherwise.to_owned(),
    };
    (label, names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}

/// Letters to insert, remove, replace or swap with their neighbour to get from one name to the other.
fn distance(from: &str, to: &str) -> usize {
    let from = from.chars().collect::<Vec<_>>();
    let to = to.chars().collect::<Vec<_>>();
    let mut before_last = Vec::new();
    let mut last = (0..=to.len()).collect::<Vec<_>>();
    for (row, letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && from[row - 1] == *other && to[column - 1] == *letter;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_known() {
        for (from, to, expected) in [
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("nginx", "nignx", 1),
            ("same", "same", 0),
            ("é", "e", 1),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
            assert_eq!(distance(to, from), expected, "{to} {from}");
        }
    }

    #[test]
    fn only_a_near_name_is_proposed() {
        let names = ["paths", "parse", "exclude"];
        assert_eq!(nearest("path", names), Some("paths"));
        assert_eq!(nearest("Prase", names), Some("parse"));
        assert_eq!(nearest("xyz", names), None);
    }
}
