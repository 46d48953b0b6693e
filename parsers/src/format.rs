//! The table of formats.
//!
//! Owns: [`Format`] and [`FORMATS`]; one line a format, one file a format below `format/`.
//! Promises: [`Format::parse`] is a direct call for every format (no `dyn`), so a grammar inlines into the sink.
//! Never: knows how any format looks.

mod access_log;
mod apache_access;
mod application;
mod cron;
mod escape;
mod facts;
mod json;
mod logfmt;
mod login;
mod name;
mod netfilter;
mod nginx_access;
mod pam;
mod program;
mod raw;
mod shadow;
mod shape;
mod sshd;
mod su;
mod sudo;
mod syslog;
mod systemd_logind;
mod words;

pub use program::PROGRAMS;
pub use shape::Shape;

use crate::{Context, Reject, Sink};

macro_rules! formats {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, dataset $dataset:literal, $module:ident;)+) => {
        /// A format of log lines.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Format {
            $($(#[doc = $doc])+ $variant),+
        }

        /// All formats, in the order of the table.
        pub const FORMATS: &[Format] = &[$(Format::$variant),+];

        impl Format {
            /// The name that a config uses.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The `event.dataset` of its events, unless the config sets another.
            #[must_use]
            pub const fn dataset(self) -> &'static str {
                match self { $(Self::$variant => $dataset),+ }
            }

            /// One sentence for the config reference.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+)),+ }
            }

            /// Parses one line, without its line end, into `sink`.
            ///
            /// # Errors
            /// Where the grammar stopped and what it expected there. The sink may have received some fields.
            #[inline]
            pub fn parse<S: Sink>(self, line: &[u8], context: &Context, sink: &mut S) -> Result<(), Reject> {
                match self { $(Self::$variant => $module::parse(line, context, sink)),+ }
            }
        }
    };
}

formats! {
    /// Any line, kept whole as `message`.
    Raw = "raw", dataset "generic", raw;
    /// An access log of nginx: `combined`, with or without the `X-Forwarded-For` of the usual `main` format.
    NginxAccess = "nginx_access", dataset "nginx.access", nginx_access;
    /// An access log of the Apache HTTP server: `common`, `combined` or `vhost_combined`.
    ApacheAccess = "apache_access", dataset "apache.access", apache_access;
    /// One JSON object a line.
    Json = "json", dataset "generic", json;
    /// Pairs `key=value`, as Go programs log.
    Logfmt = "logfmt", dataset "generic", logfmt;
    /// A line of a syslog daemon or sender, in the form of RFC 5424 or RFC 3164.
    Syslog = "syslog", dataset "syslog", syslog;
    /// The message of a line of OpenSSH's server.
    Sshd = "sshd", dataset "system.auth", sshd;
    /// The message of a line of sudo.
    Sudo = "sudo", dataset "system.auth", sudo;
    /// The message of a line of su or runuser, as util-linux, shadow and the BSDs write it.
    Su = "su", dataset "system.auth", su;
    /// The message of a line of a PAM module, under any program's name.
    Pam = "pam", dataset "system.auth", pam;
    /// The message of a line of login, as util-linux and shadow write it.
    Login = "login", dataset "system.auth", login;
    /// The message of a line of a tool that changes accounts: useradd, usermod, groupadd, gpasswd, passwd, chage.
    Shadow = "shadow", dataset "system.auth", shadow;
    /// The message of a line of cron or crontab.
    Cron = "cron", dataset "system.cron", cron;
    /// The message of a line of systemd's login manager.
    SystemdLogind = "systemd_logind", dataset "system.auth", systemd_logind;
    /// The message of a line of the kernel's packet filter: iptables, nftables, ufw.
    Netfilter = "netfilter", dataset "netfilter", netfilter;
}

impl Format {
    /// The format with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        FORMATS.iter().copied().find(|format| format.name() == name)
    }
}
