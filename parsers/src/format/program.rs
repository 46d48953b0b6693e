//! Which grammar reads the messages of which program.
//!
//! Owns: the table of programs' names, and [`Format::of_message`].
//! Promises: a name is compared as a whole; a path before it, as some crons log it, does not matter.
//! Never: reads a message further than its first bytes.

use super::Format;

macro_rules! programs {
    ($($($name:literal)|+ => $format:ident,)+) => {
        /// The programs whose messages have a grammar, by the name that syslog lines call them.
        pub const PROGRAMS: &[(&str, Format)] = &[$($(($name, Format::$format)),+),+];

        fn by_program(name: &[u8]) -> Option<Format> {
            match core::str::from_utf8(name).ok()? {
                $($($name)|+ => Some(Format::$format),)+
                _ => None,
            }
        }
    };
}

programs! {
    "sshd" | "sshd-session" | "sshd-auth" => Sshd,
    "sudo" | "sudoedit" => Sudo,
    "su" | "runuser" => Su,
    "login" => Login,
    "useradd" | "userdel" | "usermod" | "newusers" => Shadow,
    "groupadd" | "groupdel" | "groupmod" | "groupmems" => Shadow,
    "passwd" | "chpasswd" | "gpasswd" | "chgpasswd" => Shadow,
    "chage" | "chfn" | "chsh" | "newgrp" | "sg" => Shadow,
    "cron" | "CRON" | "crond" | "CROND" | "crontab" => Cron,
    "systemd-logind" | "elogind" => SystemdLogind,
    "kernel" => Netfilter,
}

impl Format {
    /// The format of a program's message. PAM modules write under the name of the program that they work for.
    #[inline]
    #[must_use]
    pub fn of_message(program: &[u8], message: &[u8]) -> Option<Self> {
        if message.starts_with(b"pam_") {
            return Some(Self::Pam);
        }
        let name = program.rsplit(|byte| *byte == b'/').next()?;
        by_program(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name_path_and_message() {
        for (name, format) in PROGRAMS {
            assert_eq!(Format::of_message(name.as_bytes(), b""), Some(*format));
            assert_eq!(PROGRAMS.iter().filter(|(other, _)| other == name).count(), 1, "{name} stands twice");
        }
        assert_eq!(Format::of_message(b"/USR/SBIN/CRON", b""), Some(Format::Cron));
        assert_eq!(Format::of_message(b"sshd", b"pam_unix(sshd:auth): x"), Some(Format::Pam));
        assert_eq!(Format::of_message(b"dovecot", b"pam_unix(dovecot:auth): x"), Some(Format::Pam));
        assert_eq!(Format::of_message(b"nginx", b"x"), None);
        assert_eq!(Format::of_message(b"", b""), None);
    }
}
