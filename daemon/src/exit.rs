//! How the process ends.
//!
//! Owns: [`Exit`], the exit codes, and their description in `--help`.
//! Promises: scripts can tell the causes apart; a code never changes its meaning.
//! Never: ends the process.

use std::process::ExitCode;

macro_rules! exits {
    ($($variant:ident = $code:literal, $meaning:literal;)+) => {
        /// How the process ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Exit {
            $(#[doc = $meaning] $variant = $code),+
        }

        /// The exit codes for `--help`, the man page and the reference.
        pub(crate) const EXIT_CODES: &str = concat!("Exit codes:\n", $("  ", $code, "  ", $meaning, "\n"),+);
    };
}

exits! {
    Success = 0, "all went well; with --once: every event is acknowledged";
    Failed = 1, "it failed while running; for parse: some lines did not fit the format";
    Usage = 2, "the command line or the config is wrong";
    DeadLettered = 3, "--once ended, but some events were refused and are in the dead letter";
    NotDrained = 4, "it was asked to end before everything was delivered (with --once: or read); the next start goes on there";
    DataDir = 5, "data_dir cannot be used: another daemon has it, or it cannot be written";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
