//! What `nginx_access` and `apache_access` share: the common and the combined log format.
//!
//! ```text
//! [host:port ]client identity user [time] "request" status bytes[ "referrer" "agent"[ "forwarded for"]]
//! ```
//!
//! Owns: this grammar and its ECS fields.
//! Promises: a `-` gives no field; a request that is not HTTP (an empty one, a TLS hello on the plain port) keeps its
//! text, escaped as the server wrote it, in `http.request.line`.
//! Never: guesses; a line with more fields than these is rejected at the first of them.

use nom::{
    Parser,
    combinator::{eof, opt},
    error::context,
    sequence::preceded,
};

use crate::{
    Context, PresetId, Reject, Sink,
    grammar::{Explain, Parsed, Quoted, Stopped, byte, is_ip, quoted, reject, stop, until, whole_number},
    key, preset,
    search::find,
    timestamp,
};

/// The longest method that is taken for one (RFC 9110 section 9.1 sets no limit; `BASELINE-CONTROL` has 16).
const METHOD_BYTES_MAX: usize = 24;

/// One line of an access log.
struct Record<'a> {
    server: Option<Server<'a>>,
    client: Client<'a>,
    identity: &'a [u8],
    user: &'a [u8],
    time: i64,
    request: Quoted<'a>,
    status: Option<i64>,
    bytes: Option<i64>,
    headers: Option<Headers<'a>>,
}

/// The request headers of a combined line.
struct Headers<'a> {
    referrer: Quoted<'a>,
    user_agent: Quoted<'a>,
    forwarded_for: Option<Quoted<'a>>,
}

/// Who asked.
enum Client<'a> {
    Ip(&'a [u8]),
    /// A host name, or `unix:`.
    Name(&'a [u8]),
}

impl<'a> Client<'a> {
    fn new(word: &'a [u8]) -> Self {
        if is_ip(word) { Self::Ip(word) } else { Self::Name(word) }
    }
}

/// The virtual host that a line begins with.
struct Server<'a> {
    host: &'a [u8],
    port: i64,
}

#[inline]
pub(super) fn parse<S: Sink>(line: &[u8], context: &Context, sink: &mut S) -> Result<(), Reject> {
    let Ok((_, record)) = record::<()>(line, context) else {
        return Err(reject(line, record::<Stopped<'_>>(line, context)));
    };
    record.put(sink);
    Ok(())
}

#[inline]
fn record<'a, E: Explain<'a>>(line: &'a [u8], reading: &Context) -> Parsed<'a, Record<'a>, E> {
    let (rest, (server, client)) = context("a client address and a space", hosts).parse(line)?;
    let (rest, identity) = context("an identity or `-` and a space", rare_word).parse(rest)?;
    let (rest, user) = context("a user or `-`, a space and a `[`", user).parse(rest)?;
    let time = |input| self::time(input, reading);
    let (rest, time) = context("a time such as `14/Nov/2023:15:13:20 -0700]`", time).parse(rest)?;
    let (rest, request) = field("a space and a quoted request", quoted).parse(rest)?;
    let (rest, status) = field("a space and a status or `-`", number).parse(rest)?;
    let (rest, bytes) = field("a space and a size or `-`", number).parse(rest)?;
    let (rest, headers) = match rest {
        [] => (rest, None),
        _ => headers.map(Some).parse(rest)?,
    };
    let record = Record { server, client, identity, user, time, request, status, bytes, headers };
    Ok((rest, record))
}

/// What the combined format adds to the common one.
#[inline]
fn headers<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, Headers<'a>, E> {
    let (rest, referrer) = field("the end, or a space and a quoted referrer", quoted).parse(input)?;
    let (rest, user_agent) = field("a space and a quoted user agent", quoted).parse(rest)?;
    let (rest, forwarded_for) = opt(field("a quoted list of addresses", quoted)).parse(rest)?;
    let (rest, _) = context("the end of the line", eof).parse(rest)?;
    Ok((rest, Headers { referrer, user_agent, forwarded_for }))
}

/// A space and a value.
#[inline]
fn field<'a, O, E: Explain<'a>>(
    expected: &'static str,
    value: impl Parser<&'a [u8], Output = O, Error = E>,
) -> impl Parser<&'a [u8], Output = O, Error = E> {
    context(expected, preceded(byte(b' '), value))
}

/// The client, and before it perhaps `host:port` of the server.
#[inline]
fn hosts<'a, E: Explain<'a>>(line: &'a [u8]) -> Parsed<'a, (Option<Server<'a>>, Client<'a>), E> {
    if let Some((rest, address)) = ipv4(line) {
        return Ok((rest, (None, Client::Ip(address))));
    }
    let (rest, first) = word(line)?;
    match server(first) {
        None => Ok((rest, (None, Client::new(first)))),
        server => {
            let (rest, client) = word(rest)?;
            Ok((rest, (server, Client::new(client))))
        }
    }
}

/// An IPv4 address and a space: most lines begin so, and one look at each byte both checks and ends it.
#[inline]
fn ipv4(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut part, mut digits, mut dots) = (0_u32, 0, 0);
    for (at, byte) in line.iter().enumerate().take("255.255.255.255 ".len()) {
        match byte {
            b'0'..=b'9' => {
                part = part * 10 + u32::from(byte - b'0');
                digits += 1;
                if part > 255 || (digits > 1 && part < 10) {
                    return None;
                }
            }
            b'.' if digits > 0 => (part, digits, dots) = (0, 0, dots + 1),
            b' ' if digits > 0 && dots == 3 => return Some((&line[at + 1..], &line[..at])),
            _ => return None,
        }
    }
    None
}

/// Bytes, at least one, up to a space.
#[inline]
fn word<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    match until(b' ').parse(input)? {
        (_, []) => stop(input),
        parsed => Ok(parsed),
    }
}

/// A word that most lines leave out with a `-`.
#[inline]
fn rare_word<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    match input {
        [b'-', b' ', rest @ ..] => Ok((rest, &input[..1])),
        _ => until(b' ').parse(input),
    }
}

/// Reads `host:port`; an IPv6 host stands in brackets there, so no address of a client looks like it.
#[inline]
fn server(word: &[u8]) -> Option<Server<'_>> {
    let colon = word.iter().rposition(|byte| *byte == b':')?;
    let (host, port) = (&word[..colon], &word[colon + 1..]);
    let (rest, port) = whole_number::<()>(port).ok()?;
    let one_colon = !host.contains(&b':') || matches!(host, [b'[', .., b']']);
    (rest.is_empty() && !host.is_empty() && one_colon && port <= 65_535).then_some(Server { host, port })
}

/// The user before the bracket of the time. A user may hold spaces.
#[inline]
fn user<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    if let [b'-', b' ', b'[', rest @ ..] = input {
        return Ok((rest, &input[..1]));
    }
    match until(b'[').parse(input)? {
        (rest, [user @ .., b' ']) => Ok((rest, user)),
        _ => stop(input),
    }
}

/// The time and its closing bracket.
#[inline]
fn time<'a, E: Explain<'a>>(input: &'a [u8], reading: &Context) -> Parsed<'a, i64, E> {
    let Some((text, [b']', rest @ ..])) = input.split_at_checked(timestamp::CLF_LENGTH) else {
        return stop(input);
    };
    match timestamp::clf(text, reading) {
        Some(nanos) => Ok((rest, nanos)),
        None => stop(input),
    }
}

/// A number or `-`.
#[inline]
fn number<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, Option<i64>, E> {
    match input {
        [b'-', rest @ ..] => Ok((rest, None)),
        _ => whole_number.map(Some).parse(input),
    }
}

impl Record<'_> {
    #[inline]
    fn put<S: Sink>(&self, sink: &mut S) {
        sink.timestamp(self.time);
        if let Some(server) = &self.server {
            sink.text_span(key::URL_DOMAIN, server.host);
            sink.integer(key::URL_PORT, server.port);
        }
        match self.client {
            Client::Ip(address) => sink.text_span(key::SOURCE_IP, address),
            Client::Name(name) => sink.text_span(key::SOURCE_ADDRESS, name),
        }
        if !is_absent(self.identity) {
            sink.text_span(key::LABELS_IDENTITY, self.identity);
        }
        if !is_absent(self.user) {
            sink.text_span(key::USER_NAME, self.user);
        }
        put_request(self.request, sink);
        if let Some(status) = self.status {
            sink.integer(key::HTTP_RESPONSE_STATUS_CODE, status);
        }
        if let Some(bytes) = self.bytes {
            sink.integer(key::HTTP_RESPONSE_BODY_BYTES, bytes);
        }
        if let Some(headers) = &self.headers {
            headers.put(sink);
        }
        sink.preset(outcome(self.status));
    }
}

impl Headers<'_> {
    #[inline]
    fn put<S: Sink>(&self, sink: &mut S) {
        if !is_absent(self.referrer.text) {
            self.referrer.put(key::HTTP_REQUEST_REFERRER, sink);
        }
        if !is_absent(self.user_agent.text) {
            self.user_agent.put(key::USER_AGENT_ORIGINAL, sink);
        }
        if let Some(addresses) = self.forwarded_for.filter(|addresses| !is_absent(addresses.text)) {
            let one_address = is_ip(addresses.text);
            let key = if one_address { key::NETWORK_FORWARDED_IP } else { key::LABELS_X_FORWARDED_FOR };
            addresses.put(key, sink);
        }
    }
}

/// nginx writes the status 000 when it closed the connection without an answer.
#[inline]
fn outcome(status: Option<i64>) -> PresetId {
    match status {
        None | Some(..100) => preset::WEB_UNKNOWN,
        Some(..400) => preset::WEB_ACCESS,
        Some(_) => preset::WEB_ERROR,
    }
}

#[inline]
fn put_request<S: Sink>(request: Quoted<'_>, sink: &mut S) {
    let Some((method, target, version)) = http(request.text) else {
        if !is_absent(request.text) {
            sink.text_span(key::HTTP_REQUEST_LINE, request.text);
        }
        return;
    };
    sink.text_span(key::HTTP_REQUEST_METHOD, method);
    request.put_part(target, key::URL_ORIGINAL, sink);
    let (path, query) = match find(b'?', target) {
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
        None => (target, None),
    };
    if let Some(path) = origin_form(path) {
        request.put_part(path, key::URL_PATH, sink);
    }
    if let Some(query) = query {
        request.put_part(query, key::URL_QUERY, sink);
    }
    if let Some(version) = version {
        sink.text_span(key::HTTP_VERSION, version);
    }
}

/// A method, a target, and a version unless the request is HTTP/0.9, which has none.
type RequestLine<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

/// Splits a request line (RFC 9112 section 3) from both ends, for a careless client leaves spaces in the target:
/// method, target, and the version unless it is an HTTP/0.9 request, which has none.
#[inline]
fn http(text: &[u8]) -> Option<RequestLine<'_>> {
    let end = text.iter().take(METHOD_BYTES_MAX + 1).position(|byte| *byte == b' ')?;
    let (method, rest) = (&text[..end], &text[end + 1..]);
    let is_method =
        !method.is_empty() && method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
    let (target, version) = match rest {
        [target @ .., b' ', b'H', b'T', b'T', b'P', b'/', _, b'.', _] => {
            (target, Some(&rest[rest.len() - 3..]))
        }
        [target @ .., b' ', b'H', b'T', b'T', b'P', b'/', _] => (target, Some(&rest[rest.len() - 1..])),
        [b'/', after @ ..] if !after.contains(&b' ') => (rest, None),
        _ => return None,
    };
    (is_method && !target.is_empty()).then_some((method, target, version))
}

/// The path of a target without its query: the target itself, or what follows the authority of an absolute URL. A
/// target that is an authority (`CONNECT`) has no path.
#[inline]
fn origin_form(target: &[u8]) -> Option<&[u8]> {
    match target {
        [b'/' | b'*', ..] => Some(target),
        [b'h' | b'H', ..] => {
            let authority = find(b'/', target)? + 2;
            let path = find(b'/', target.get(authority..)?)?;
            target.get(authority + path..)
        }
        _ => None,
    }
}

/// Whether a field says that it has no value. Apache writes `""` for an empty user.
#[inline]
fn is_absent(text: &[u8]) -> bool {
    matches!(text, b"-" | b"" | b"\"\"")
}
