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
        _ => host(format, &mut dice),
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

/// A line of an application's log, as Java programs write it.
pub(crate) fn application(number: u64) -> String {
    let mut dice = Dice(number);
    let trace = if dice.roll(2) == 0 { format!(" <{:016x}>", dice.roll(u64::MAX)) } else { String::new() };
    format!(
        "2023-11-{:02} {:02}:{:02}:{:02},{:03} [{}] shop.orders.{}{trace} - {} ({} ms)",
        1 + dice.roll(28),
        dice.roll(24),
        dice.roll(60),
        dice.roll(60),
        dice.roll(1_000),
        dice.pick(&["INFO", "WARN", "DEBUG"]),
        dice.pick(&["api", "checkout", "stock"]),
        dice.pick(MESSAGES),
        dice.roll(5_000),
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

/// The messages of programs of a host: `#` is a number, `@` an address, `$` a user.
const HOST_MESSAGES: &[(Format, &[&str])] = &[
    (
        Format::Sshd,
        &[
            "Accepted publickey for $ from @ port # ssh2: ED25519 SHA256:zX4hfLJ2VXXyEG3Ri8Fyuy/NrnNWDw3FYz",
            "Failed password for invalid user $ from @ port # ssh2",
            "Failed password for root from @ port # ssh2",
            "Invalid user $ from @ port #",
            "Connection closed by authenticating user $ @ port # [preauth]",
            "Received disconnect from @ port #:11: disconnected by user",
            "Disconnected from user $ @ port #",
        ],
    ),
    (
        Format::Sudo,
        &[
            "    $ : TTY=pts/# ; PWD=/home/$ ; USER=root ; COMMAND=/usr/bin/systemctl restart shop-#.service",
            "    $ : TTY=pts/# ; PWD=/srv/shop ; USER=postgres ; COMMAND=/usr/bin/psql -c 'select #'",
            "    $ : 3 incorrect password attempts ; TTY=pts/# ; PWD=/home/$ ; USER=root ; COMMAND=/bin/ls",
        ],
    ),
    (
        Format::Su,
        &["(to root) $ on pts/#", "FAILED SU (to root) $ on pts/#", "Successful su for postgres by $"],
    ),
    (
        Format::Pam,
        &[
            "pam_unix(sshd:session): session opened for user $(uid=#) by (uid=0)",
            "pam_unix(cron:session): session closed for user $",
            "pam_unix(sudo:session): session opened for user root(uid=0) by $(uid=#)",
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=@  user=$",
        ],
    ),
    (
        Format::Login,
        &[
            "LOGIN ON tty# BY $",
            "FAILED LOGIN # FROM tty1 FOR $, Authentication failure",
            "ROOT LOGIN ON tty#",
        ],
    ),
    (
        Format::Shadow,
        &[
            "new user: name=$, UID=#, GID=#, home=/home/$, shell=/bin/bash, from=/dev/pts/1",
            "add '$' to group 'docker'",
            "group added to /etc/group: name=$, GID=#",
            "change user '$' shell from '/bin/sh' to '/bin/bash'",
        ],
    ),
    (
        Format::Cron,
        &[
            "(root) CMD (   cd / && run-parts --report /etc/cron.hourly)",
            "($) CMD (/usr/local/bin/backup --all --number # > /dev/null)",
            "($) REPLACE ($)",
        ],
    ),
    (
        Format::SystemdLogind,
        &[
            "New session # of user $.",
            "Session # logged out. Waiting for processes to exit.",
            "Removed session #.",
        ],
    ),
    (
        Format::Netfilter,
        &[
            concat!(
                "[12345.678901] [UFW BLOCK] IN=eth0 OUT= MAC=00:16:3e:5e:6c:00:00:16:3e:01:02:03:08:00 SRC=@ DST=@ ",
                "LEN=60 TOS=0x00 PREC=0x00 TTL=54 ID=# DF PROTO=TCP SPT=# DPT=22 WINDOW=64240 RES=0x00 SYN URGP=0"
            ),
            "[12345.678901] nft-drop: IN=eth0 OUT= SRC=@ DST=@ LEN=76 TOS=0x00 TTL=54 ID=# PROTO=UDP SPT=# DPT=53 LEN=56",
        ],
    ),
];

fn host(format: Format, dice: &mut Dice) -> String {
    let messages =
        HOST_MESSAGES.iter().find(|(known, _)| *known == format).map_or(&[][..], |(_, messages)| messages);
    let mut line = String::new();
    for letter in dice.pick(messages).chars() {
        match letter {
            '#' => line.push_str(&(1 + dice.roll(60_000)).to_string()),
            '$' => line.push_str(dice.pick(&["alice", "bob", "postgres", "deploy", "www-data"])),
            '@' => {
                let [first, second, third] = [220, 256, 256].map(|sides| 1 + dice.roll(sides - 1));
                line.push_str(&format!("{first}.{second}.{third}.9"));
            }
            other => line.push(other),
        }
    }
    line
}
