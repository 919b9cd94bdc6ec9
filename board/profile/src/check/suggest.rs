// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Did you mean": the known word that is nearest to a mistyped one.

/// The nearest candidate, if one is near enough that a person may have meant it.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // Half of the letters wrong is another word; a third of them, and at least one, is a slip.
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Slips between two words. A plural, and `-` for `_`, count as one slip at most.
fn distance(word: &str, candidate: &str) -> usize {
    let plain = strsim::damerau_levenshtein(word, &candidate.to_lowercase());
    let same =
        word.trim_end_matches('s').replace('-', "_") == candidate.trim_end_matches('s').replace('-', "_");
    if same {
        plain.min(1)
    } else {
        plain
    }
}

/// A help line: the nearest candidate, or else all of them.
pub(crate) fn help<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
    none: &str,
) -> String {
    if let Some(found) = nearest(word, candidates.clone()) {
        return format!("did you mean `{found}`?");
    }
    let all: Vec<String> = candidates.into_iter().map(|candidate| format!("`{candidate}`")).collect();
    match all.len() {
        0 => none.to_string(),
        1..=16 => format!("there is {}", all.join(", ")),
        count => format!("there are {count} of them, none spelled like it"),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let known = ["memory", "cpus", "disk", "disk_size"];
        assert_eq!(nearest("memroy", known), Some("memory"));
        assert_eq!(nearest("Memory", known), Some("memory"));
        assert_eq!(nearest("disks", known), Some("disk"));
        assert_eq!(nearest("disk-size", known), Some("disk_size"));
        assert_eq!(nearest("network", known), None);
        assert_eq!(nearest("", known), None);
    }
}
