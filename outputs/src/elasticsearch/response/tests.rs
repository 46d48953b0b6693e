//! Answers as strings.

use super::*;

fn verdict(status: u16, body: &str, items: usize) -> Verdict {
    judge(&Answer { status, retry_after: None, body: body.as_bytes() }, Detail::Items, items)
}

fn cause(verdict: &Verdict) -> Option<Cause> {
    match verdict {
        Verdict::Retry(trouble) => Some(trouble.cause),
        _ => None,
    }
}

#[test]
fn statuses_of_the_whole_answer() {
    for (status, expected) in [
        (401, Cause::Unauthorized),
        (403, Cause::Unauthorized),
        (404, Cause::Unexpected),
        (405, Cause::Unexpected),
        (302, Cause::Unexpected),
        (429, Cause::Overload),
        (500, Cause::Unexpected),
        (502, Cause::Overload),
        (503, Cause::Overload),
        (504, Cause::Overload),
    ] {
        assert_eq!(cause(&verdict(status, "no", 1)), Some(expected), "{status}");
    }
    for status in [400, 406, 413] {
        assert!(
            matches!(verdict(status, "no", 1), Verdict::Refused(Refusal { status: s, .. }) if s == status)
        );
    }
}

#[test]
fn items_are_judged_by_status() {
    let body = r#"{"took":3,"errors":true,"items":[
        {"create":{"status":201}},
        {"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}}},
        {"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},
        {"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"[1:2] \"x\""}}},
        {"create":{"status":503}},
        {"create":{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index"}}},
        {"create":{"status":201,"failure_store":"used"}},
        {"create":{"status":403,"error":{"type":"cluster_block_exception","reason":"blocked"}}}]}"#;
    let Verdict::Mixed(mixed) = verdict(200, body, 8) else { panic!("not mixed") };
    let (retry, trouble) = mixed.retry.unwrap();
    assert_eq!(retry, [2, 4, 7]);
    assert_eq!(trouble.cause, Cause::Overload);
    assert!(
        trouble.reason.contains("429") && trouble.reason.contains("es_rejected_execution_exception: full")
    );
    let rejected =
        mixed.rejected.iter().map(|(item, refusal)| (*item, refusal.status, refusal.label.as_str()));
    let expected = [(3, 400, "document_parsing_exception"), (5, 404, "index_not_found_exception")];
    assert_eq!(rejected.collect::<Vec<_>>(), expected);
    assert_eq!(mixed.rejected[0].1.reason, "document_parsing_exception: [1:2] \"x\"");
    assert_eq!(mixed.soft_failures, 1);
}

#[test]
fn conflicts_alone_are_a_success() {
    let body = r#"{"errors":true,"items":[{"create":{"status":409}},{"index":{"status":200}}]}"#;
    assert_eq!(verdict(200, body, 2), Verdict::Delivered { soft_failures: 0 });
}

#[test]
fn an_answer_of_opensearch_reads_alike() {
    let body = r#"{"took":9,"errors":true,"items":[{"create":{"_index":"x","status":400,"error":
        {"type":"mapper_parsing_exception","reason":"failed","caused_by":{"type":"a","reason":"b"}}}}]}"#;
    let Verdict::Mixed(mixed) = verdict(200, body, 1) else { panic!("not mixed") };
    assert_eq!(mixed.rejected[0].1.label, "mapper_parsing_exception");
}

#[test]
fn an_answer_cut_anywhere_delivers_nothing() {
    let body = r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":"x"}}}]}"#;
    for length in 0..body.len() {
        let answer = Answer { status: 200, retry_after: None, body: &body.as_bytes()[..length] };
        assert_eq!(cause(&judge(&answer, Detail::Items, 2)), Some(Cause::Unexpected), "{length}");
    }
    let short = r#"{"errors":false}"#;
    for length in 0..short.len() {
        let answer = Answer { status: 200, retry_after: None, body: &short.as_bytes()[..length] };
        assert!(needs_detail(&answer, Detail::Errors), "{length}");
    }
}

#[test]
fn another_number_of_items_delivers_nothing() {
    let body = r#"{"errors":false,"items":[{"create":{"status":201}}]}"#;
    assert_eq!(verdict(200, body, 1), Verdict::Delivered { soft_failures: 0 });
    for items in [0, 2] {
        assert_eq!(cause(&verdict(200, body, items)), Some(Cause::Unexpected));
    }
}

#[test]
fn a_short_answer_without_errors_is_enough() {
    for (body, soft_failures) in [
        (r#"{"errors":false}"#, 0),
        (r#"{"took":1,"errors":false,"items":[{"create":{"failure_store":"used"}}]}"#, 1),
    ] {
        let answer = Answer { status: 200, retry_after: None, body: body.as_bytes() };
        assert!(!needs_detail(&answer, Detail::Errors));
        assert_eq!(judge(&answer, Detail::Errors, 5), Verdict::Delivered { soft_failures });
    }
    for body in [r#"{"errors":true}"#, "", "<html>"] {
        assert!(needs_detail(
            &Answer { status: 200, retry_after: None, body: body.as_bytes() },
            Detail::Errors
        ));
    }
    // An error of the whole needs no second question.
    assert!(!needs_detail(&Answer { status: 429, retry_after: None, body: b"" }, Detail::Errors));
}

#[test]
fn the_wish_of_the_store_is_passed_on() {
    let after = Some(Duration::from_secs(7));
    let body = br#"{"errors":true,"items":[{"create":{"status":429}}]}"#;
    for (status, body) in [(429, &b""[..]), (200, body)] {
        let verdict = judge(&Answer { status, retry_after: after, body }, Detail::Items, 1);
        let wish = match verdict {
            Verdict::Retry(trouble) => trouble.after,
            Verdict::Mixed(mixed) => mixed.retry.unwrap().1.after,
            _ => None,
        };
        assert_eq!(wish, after);
    }
}
