//! Sample lines: the same number gives the same line, and neighbours differ in every field.

use logweir_parsers::Format;

/// A line of this format.
pub(crate) fn line(format: Format, number: u64) -> String {
    let mut dice = Dice(number);
    match format {
        Format::NginxAccess | Format::ApacheAccess => access(&mut dice),
        Format::Json => json(&mut dice),
        Format::Logfmt => logfmt(&mut dice),
        Format::Syslog => syslog(&mut dice),
        Format::Raw => access(&mut dice),
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.roll(words.len() as u64) as usize]
    }
}

const PATHS: &[&str] = &[
    "/",
    "/api/v1/orders",
    "/static/app.3f9a1c.js",
    "/api/v1/customers/search",
    "/login",
    "/images/logo.svg",
];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0",
    "curl/8.5.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15",
];
const REFERRERS: &[&str] = &["-", "https://shop.example.com/", "https://shop.example.com/cart?step=2"];
const MESSAGES: &[&str] = &[
    "order accepted",
    "payment gateway answered slowly, trying again",
    "cache miss",
    "session opened for user",
];

fn access(dice: &mut Dice) -> String {
    let query = if dice.roll(3) == 0 { format!("?page={}&size=50", dice.roll(900)) } else { String::new() };
    format!(
        "{}.{}.{}.{} - {} [{:02}/Nov/2023:{:02}:{:02}:{:02} +0100] \"{} {}{query} HTTP/1.1\" {} {} \"{}\" \"{}\"",
        1 + dice.roll(220),
        dice.roll(256),
        dice.roll(256),
        dice.roll(256),
        dice.pick(&["-", "-", "-", "alice"]),
        1 + dice.roll(28),
        dice.roll(24),
        dice.roll(60),
        dice.roll(60),
        dice.pick(&["GET", "GET", "POST", "DELETE"]),
        dice.pick(PATHS),
        dice.pick(&["200", "200", "304", "404", "502"]),
        dice.roll(100_000),
        dice.pick(REFERRERS),
        dice.pick(AGENTS),
    )
}

fn json(dice: &mut Dice) -> String {
    format!(
        concat!(
            r#"{{"timestamp":"2023-11-{:02}T{:02}:{:02}:{:02}.{:03}Z","level":"{}","logger":"shop.orders.{}","#,
            r#""message":"{} \"{}\"","order_id":{},"duration_ms":{}.{},"paid":{},"trace_id":"{:016x}{:016x}","#,
            r#""thread":"worker-{}","items":[{{"sku":"A-{}","n":{}}}]}}"#
        ),
        1 + dice.roll(28),
        dice.roll(24),
        dice.roll(60),
        dice.roll(60),
        dice.roll(1_000),
        dice.pick(&["info", "warn", "debug"]),
        dice.pick(&["api", "checkout", "stock"]),
        dice.pick(MESSAGES),
        dice.roll(100),
        dice.roll(10_000_000),
        dice.roll(500),
        dice.roll(10),
        dice.pick(&["true", "false"]),
        dice.roll(u64::MAX),
        dice.roll(u64::MAX),
        dice.roll(64),
        dice.roll(9_000),
        dice.roll(9),
    )
}

fn logfmt(dice: &mut Dice) -> String {
    format!(
        concat!(
            "time=2023-11-{:02}T{:02}:{:02}:{:02}Z level={} msg=\"{}\" method={} path={} status={} bytes={} ",
            "trace_id={:016x}"
        ),
        1 + dice.roll(28),
        dice.roll(24),
        dice.roll(60),
        dice.roll(60),
        dice.pick(&["info", "warn", "debug"]),
        dice.pick(MESSAGES),
        dice.pick(&["GET", "POST"]),
        dice.pick(PATHS),
        dice.pick(&["200", "404"]),
        dice.roll(100_000),
        dice.roll(u64::MAX),
    )
}

fn syslog(dice: &mut Dice) -> String {
    format!(
        concat!(
            "<{}>1 2023-11-{:02}T{:02}:{:02}:{:02}.{:06}Z web{}.example.com {} {} ID{} ",
            "[meta@32473 seq=\"{}\" zone=\"eu-{}\"] {} for order {} from 192.0.2.{}"
        ),
        dice.roll(192),
        1 + dice.roll(28),
        dice.roll(24),
        dice.roll(60),
        dice.roll(60),
        dice.roll(1_000_000),
        dice.roll(40),
        dice.pick(&["sshd", "nginx", "shop-api", "postfix"]),
        1 + dice.roll(60_000),
        dice.roll(99),
        dice.roll(1_000_000),
        dice.roll(3),
        dice.pick(MESSAGES),
        dice.roll(1_000_000),
        dice.roll(256),
    )
}
