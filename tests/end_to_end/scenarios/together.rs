//! What several stores hold together.

use std::collections::HashSet;

use logweir_benchmarks::store::Store;

/// Every line is in one of the stores, and all its documents have one id: in a cluster, whose nodes share their
/// documents, it would be there once.
#[track_caller]
pub(super) fn assert_every_line_has_one_id(stores: &[&Store], lines: u64) {
    let mut missing: HashSet<u64> = (0..lines).collect();
    let mut ids = HashSet::new();
    for store in stores {
        let verdict = store.verdict(0..lines);
        assert_eq!((&verdict.doubled[..], verdict.strangers), (&[][..], 0), "in one store");
        let absent: HashSet<u64> = verdict.lost.into_iter().chain(verdict.rejected).collect();
        missing.retain(|number| absent.contains(number));
        ids.extend(store.stored().into_iter().map(|document| document.id));
    }
    assert!(missing.is_empty(), "{} of {lines} lines are in no store", missing.len());
    assert_eq!(ids.len() as u64, lines, "lines stand under several ids");
}
