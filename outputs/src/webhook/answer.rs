//! What the answer to a request means.
//!
//! Owns: [`judge`], from a status to a verdict.
//! Promises: 2xx is delivered; what may pass (408, 425, 429, 5xx) is sent again; 401, 403 and redirects wait for someone
//! to change the configuration; any other 4xx is refused with the answer as the reason.
//! Never: quotes a secret; the caller has taken them out.

use std::time::Duration;

use crate::verdict::{Cause, Refusal, Trouble, Verdict};

/// What an answer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// The first part of its body.
    pub(super) quote: String,
}

/// What the answer of `label` means.
pub(super) fn judge(label: &str, answer: Answer) -> Verdict {
    let Answer { status, retry_after, quote } = answer;
    let reason = format!("{label} answered with status {status}: {quote}{}", remedy(status));
    let again = |cause, reason| Verdict::Retry(Trouble { cause, reason, after: retry_after });
    match status {
        200..=299 => Verdict::Delivered { soft_failures: 0 },
        401 | 403 => again(Cause::Unauthorized, reason),
        408 | 425 | 429 | 502..=504 => again(Cause::Overload, reason),
        400..=499 => Verdict::Refused(Refusal { status, label: format!("status {status}"), reason }),
        _ => again(Cause::Unexpected, reason),
    }
}

/// What someone has to do before there is another answer; nothing for other statuses.
fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => "; redirects are not followed: set `url` of the output to where it leads, then restart",
        401 | 403 => "; check `url`, `headers` and the credentials of the output, then restart",
        _ => "",
    }
}
