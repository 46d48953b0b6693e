//! What happens on a host: logins, sessions, changes of accounts, commands, packets.
//!
//! Owns: a preset for each of these, with ECS's category, type, outcome and action.
//! Promises: pairs of category and type that ECS 9.4 allows; an outcome only where the line tells one.
//! Never: says anything about one program's way to write it.

use super::{Constant, HOST, Preset, PresetId};
use crate::key;

macro_rules! presets {
    ($($(#[doc = $doc:literal])+ $constant:ident = $action:literal $([$($words:literal),+])+ $(, $outcome:literal)?;)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)] // the numbers of the constants below
        #[repr(u8)]
        enum Number { $($constant),+ }

        $(
            $(#[doc = $doc])+
            pub const $constant: PresetId = PresetId(HOST as u8 + Number::$constant as u8);
        )+

        /// The presets, in the order of their numbers.
        pub(super) const TABLE: &[Preset] = &[$({
            const WORDS: [&[&str]; 2] = [$(&[$($words),+]),+];
            &[
                (key::EVENT_KIND, Constant::Text("event")),
                (key::EVENT_CATEGORY, Constant::List(WORDS[0])),
                (key::EVENT_TYPE, Constant::List(WORDS[1])),
                (key::EVENT_ACTION, Constant::Text($action)),
                $((key::EVENT_OUTCOME, Constant::Text($outcome)),)?
            ]
        }),+];
    };
}

// action, categories, types, and the outcome where there is one
presets! {
    /// A login over SSH.
    SSH_LOGIN = "ssh_login" ["authentication"] ["start"], "success";
    /// A login over SSH that was refused.
    SSH_LOGIN_FAILED = "ssh_login" ["authentication"] ["start"], "failure";
    /// A step of a login over SSH that decides nothing yet.
    SSH_LOGIN_STEP = "ssh_login" ["authentication"] ["info"], "unknown";
    /// A connection to the SSH server.
    SSH_CONNECTED = "ssh_connection" ["network"] ["connection", "start"];
    /// The end of a connection to the SSH server.
    SSH_DISCONNECTED = "ssh_connection" ["network"] ["connection", "end"];
    /// A connection to the SSH server that failed before anybody logged in.
    SSH_CONNECTION_FAILED = "ssh_connection" ["network"] ["connection", "end"], "failure";
    /// A session within an SSH connection begins.
    SSH_SESSION_STARTED = "ssh_session" ["session"] ["start"], "success";
    /// A session within an SSH connection ends.
    SSH_SESSION_ENDED = "ssh_session" ["session"] ["end"];
    /// The SSH server tells of itself.
    SSH_SERVER = "ssh_server" ["process"] ["info"];
    /// A command as another user.
    SUDO_COMMAND = "sudo_command" ["process"] ["start"], "success";
    /// A command as another user that was refused.
    SUDO_COMMAND_FAILED = "sudo_command" ["process"] ["info"], "failure";
    /// A change to another user.
    SU = "su" ["authentication", "session"] ["start"], "success";
    /// A change to another user that was refused.
    SU_FAILED = "su" ["authentication", "session"] ["start"], "failure";
    /// A session that PAM opened.
    SESSION_OPENED = "session_opened" ["session"] ["start"], "success";
    /// A session that PAM closed.
    SESSION_CLOSED = "session_closed" ["session"] ["end"], "success";
    /// Somebody proved who they are.
    AUTHENTICATED = "authentication" ["authentication"] ["start"], "success";
    /// Somebody did not prove who they are.
    AUTHENTICATION_FAILED = "authentication" ["authentication"] ["start"], "failure";
    /// An account that may not be used, now or here.
    ACCOUNT_REFUSED = "account_check" ["authentication"] ["info"], "failure";
    /// Anything else that a PAM module tells.
    PAM_INFO = "pam" ["authentication"] ["info"];
    /// A login at a terminal.
    LOGIN = "login" ["authentication", "session"] ["start"], "success";
    /// A login at a terminal that was refused.
    LOGIN_FAILED = "login" ["authentication"] ["start"], "failure";
    /// A new account.
    USER_ADDED = "user_added" ["iam"] ["user", "creation"], "success";
    /// An account that could not be made.
    USER_ADD_FAILED = "user_added" ["iam"] ["user", "creation"], "failure";
    /// An account that is gone.
    USER_DELETED = "user_deleted" ["iam"] ["user", "deletion"], "success";
    /// An account that was changed.
    USER_CHANGED = "user_changed" ["iam"] ["user", "change"], "success";
    /// An account that was locked.
    USER_LOCKED = "user_locked" ["iam"] ["user", "change"], "success";
    /// An account that was unlocked.
    USER_UNLOCKED = "user_unlocked" ["iam"] ["user", "change"], "success";
    /// A password that was changed.
    PASSWORD_CHANGED = "password_changed" ["iam"] ["user", "change"], "success";
    /// A new group.
    GROUP_ADDED = "group_added" ["iam"] ["group", "creation"], "success";
    /// A group that is gone.
    GROUP_DELETED = "group_deleted" ["iam"] ["group", "deletion"], "success";
    /// A group that was changed.
    GROUP_CHANGED = "group_changed" ["iam"] ["group", "change"], "success";
    /// A user that was put into a group.
    GROUP_MEMBER_ADDED = "group_member_added" ["iam"] ["group", "user", "change"], "success";
    /// A user that was taken out of a group.
    GROUP_MEMBER_REMOVED = "group_member_removed" ["iam"] ["group", "user", "change"], "success";
    /// A command that cron runs.
    CRON_COMMAND = "cron_command" ["process"] ["start"];
    /// A command of cron that ended.
    CRON_COMMAND_ENDED = "cron_command" ["process"] ["end"];
    /// A table of cron that was changed.
    CRONTAB_CHANGED = "crontab_changed" ["configuration"] ["change"], "success";
    /// A table of cron that was looked at.
    CRONTAB_READ = "crontab_read" ["configuration"] ["access"], "success";
    /// Something that cron could not do.
    CRON_FAILED = "cron" ["process"] ["info"], "failure";
    /// Anything else that cron tells.
    CRON_INFO = "cron" ["process"] ["info"];
    /// A session that the login manager knows of.
    LOGIND_SESSION_STARTED = "session_started" ["session"] ["start"], "success";
    /// A session that ended.
    LOGIND_SESSION_ENDED = "session_ended" ["session"] ["end"];
    /// The host is switched off, started again or put to sleep.
    HOST_POWER = "host_power" ["host"] ["change"];
    /// Anything else that a login manager tells of the host.
    HOST_INFO = "host" ["host"] ["info"];
    /// A packet that the firewall let pass.
    PACKET_ALLOWED = "packet_allowed" ["network"] ["connection", "allowed"];
    /// A packet that the firewall held up.
    PACKET_DENIED = "packet_denied" ["network"] ["connection", "denied"];
    /// A packet that the firewall tells of.
    PACKET_LOGGED = "packet_logged" ["network"] ["connection", "info"];
}
