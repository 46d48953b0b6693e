//! `syslog`: a line in the form of RFC 5424 or of RFC 3164, as a syslog daemon writes it to a file or sends it.
//!
//! ```text
//! <165>1 2023-11-14T22:13:20.003Z db7 ledgerd 1234 S-12 [job@32473 n="3"] the nightly job has ended
//! <38>Nov 14 22:13:20 db7 login[230]: session opened for carol
//! Nov 14 22:13:20 db7 login[230]: a line of a file, which has no priority
//! 2023-11-14T23:13:20.5+01:00 db7 login[230]: the same with a whole time
//! ```
//!
//! Owns: which of the forms a line has, and the ECS fields of all.
//! Promises: a line that has a priority is taken: where no header follows it, the rest is the message (RFC 3164
//! section 4.3.3). A header that says it is RFC 5424 must be one.
//! Never: decides the year or the zone by a clock; both come from the context.

mod rfc3164;
mod rfc5424;
mod structured_data;

use nom::{Parser, combinator::verify, error::context, sequence::delimited};

use self::structured_data::StructuredData;
use crate::{
    Context, Reject, Sink,
    grammar::{Explain, Parsed, Stopped, byte, reject, whole_number},
    key, preset,
};

/// One line of syslog. An empty slice is a part that the line leaves out.
#[derive(Default)]
struct Message<'a> {
    version: &'a [u8],
    time: Option<i64>,
    host: &'a [u8],
    application: &'a [u8],
    process: &'a [u8],
    message_id: &'a [u8],
    data: Option<StructuredData<'a>>,
    text: &'a [u8],
}

/// Takes a line that has a priority or a header.
#[inline]
pub(super) fn parse<S: Sink>(line: &[u8], context: &Context, sink: &mut S) -> Result<(), Reject> {
    let Ok((_, (priority, message))) = record::<()>(line, context) else {
        return Err(reject(line, record::<Stopped<'_>>(line, context)));
    };
    sink.preset(priority.map_or(preset::EVENT, preset::syslog));
    message.put(sink);
    Ok(())
}

#[inline]
fn record<'a, E: Explain<'a>>(line: &'a [u8], reading: &Context) -> Parsed<'a, (Option<u8>, Message<'a>), E> {
    let (rest, priority) = match line.first() {
        Some(b'<') => context("a priority below 192 in angle brackets", priority).map(Some).parse(line)?,
        _ => (line, None),
    };
    let (rest, message) = match rfc5424::version(rest) {
        Some((rest, version)) => rfc5424::message(version, rest, reading)?,
        None => rfc3164::message(rest, reading, priority.is_some())?,
    };
    Ok((rest, (priority, message)))
}

/// `<`, facility times eight plus severity, `>`.
#[inline]
fn priority<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, u8, E> {
    let below_192 = verify(whole_number, |number| *number < 192);
    delimited(byte(b'<'), below_192, byte(b'>')).map(|number| number as u8).parse(input)
}

impl Message<'_> {
    #[inline]
    fn put<S: Sink>(&self, sink: &mut S) {
        if let Some(nanos) = self.time {
            sink.timestamp(nanos);
        }
        if !self.version.is_empty() {
            sink.text_span(key::LOG_SYSLOG_VERSION, self.version);
        }
        if !self.host.is_empty() {
            sink.text_span(key::LOG_SYSLOG_HOSTNAME, self.host);
            sink.text_span(key::HOST_HOSTNAME, self.host);
        }
        if !self.application.is_empty() {
            sink.text_span(key::LOG_SYSLOG_APPNAME, self.application);
            sink.text_span(key::PROCESS_NAME, self.application);
        }
        if !self.process.is_empty() {
            match whole_number::<()>(self.process) {
                Ok(([], number)) => sink.integer(key::PROCESS_PID, number),
                _ => sink.text_span(key::LOG_SYSLOG_PROCID, self.process),
            }
        }
        if !self.message_id.is_empty() {
            sink.text_span(key::LOG_SYSLOG_MSGID, self.message_id);
        }
        if let Some(data) = self.data {
            sink.made_json(key::LOG_SYSLOG_STRUCTURED_DATA, |push| data.write_json(push));
        }
        if !self.text.is_empty() {
            sink.text_span(key::MESSAGE, self.text);
        }
    }
}
