//! The field names that logweir itself writes, numbered.
//!
//! Owns: [`KeyId`] and the table of well-known keys (ECS 9.4 names, stores.elastic.co "ECS field reference").
//! Promises: a well-known key has the same number in every process, so a grammar names its keys without a
//! look-up; [`KNOWN`]`[id]` is its name.
//! Never: learns a key at run time (the pipeline's interner does, with numbers above these).

/// The number of a field name. Numbers below [`KNOWN`]`.len()` are fixed; the pipeline hands out the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u16);

macro_rules! known_keys {
    ($($constant:ident = $name:literal),+ $(,)?) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)] // the numbers of the constants below
        #[repr(u16)]
        enum Number { $($constant),+ }

        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: KeyId = KeyId(Number::$constant as u16);
        )+

        /// The names of the well-known keys, in the order of their numbers.
        pub const KNOWN: &[&str] = &[$($name),+];
    };
}

known_keys! {
    TIMESTAMP = "@timestamp",
    MESSAGE = "message",
    TAGS = "tags",
    ECS_VERSION = "ecs.version",
    DATA_STREAM_TYPE = "data_stream.type",
    DATA_STREAM_DATASET = "data_stream.dataset",
    DATA_STREAM_NAMESPACE = "data_stream.namespace",
    EVENT_KIND = "event.kind",
    EVENT_CATEGORY = "event.category",
    EVENT_TYPE = "event.type",
    EVENT_OUTCOME = "event.outcome",
    EVENT_ACTION = "event.action",
    EVENT_DATASET = "event.dataset",
    EVENT_ORIGINAL = "event.original",
    EVENT_DURATION = "event.duration",
    EVENT_SEVERITY = "event.severity",
    EVENT_ID = "event.id",
    ERROR_MESSAGE = "error.message",
    ERROR_TYPE = "error.type",
    ERROR_STACK_TRACE = "error.stack_trace",
    HOST_NAME = "host.name",
    HOST_HOSTNAME = "host.hostname",
    LOG_FILE_PATH = "log.file.path",
    LOG_FLAGS = "log.flags",
    LOG_LEVEL = "log.level",
    LOG_LOGGER = "log.logger",
    SERVICE_NAME = "service.name",
    SOURCE_ADDRESS = "source.address",
    SOURCE_IP = "source.ip",
    SOURCE_PORT = "source.port",
    USER_NAME = "user.name",
    USER_ID = "user.id",
    HTTP_VERSION = "http.version",
    HTTP_REQUEST_METHOD = "http.request.method",
    HTTP_REQUEST_REFERRER = "http.request.referrer",
    HTTP_RESPONSE_STATUS_CODE = "http.response.status_code",
    HTTP_RESPONSE_BODY_BYTES = "http.response.body.bytes",
    URL_ORIGINAL = "url.original",
    URL_PATH = "url.path",
    URL_QUERY = "url.query",
    URL_DOMAIN = "url.domain",
    USER_AGENT_ORIGINAL = "user_agent.original",
    PROCESS_NAME = "process.name",
    PROCESS_PID = "process.pid",
    LOG_SYSLOG_PRIORITY = "log.syslog.priority",
    LOG_SYSLOG_FACILITY_CODE = "log.syslog.facility.code",
    LOG_SYSLOG_FACILITY_NAME = "log.syslog.facility.name",
    LOG_SYSLOG_SEVERITY_CODE = "log.syslog.severity.code",
    LOG_SYSLOG_SEVERITY_NAME = "log.syslog.severity.name",
    LOG_SYSLOG_APPNAME = "log.syslog.appname",
    LOG_SYSLOG_HOSTNAME = "log.syslog.hostname",
    LOG_SYSLOG_MSGID = "log.syslog.msgid",
    LOG_SYSLOG_PROCID = "log.syslog.procid",
    LOG_SYSLOG_VERSION = "log.syslog.version",
    LOG_SYSLOG_STRUCTURED_DATA = "log.syslog.structured_data",
    TRACE_ID = "trace.id",
    SPAN_ID = "span.id",
    URL_PORT = "url.port",
    NETWORK_FORWARDED_IP = "network.forwarded_ip",
    HTTP_REQUEST_LINE = "http.request.line",
    LABELS_IDENTITY = "labels.identity",
    LABELS_X_FORWARDED_FOR = "labels.x_forwarded_for",
    EVENT_REASON = "event.reason",
    USER_EFFECTIVE_ID = "user.effective.id",
    USER_EFFECTIVE_NAME = "user.effective.name",
    USER_CHANGES_NAME = "user.changes.name",
    USER_TARGET_ID = "user.target.id",
    USER_TARGET_NAME = "user.target.name",
    GROUP_ID = "group.id",
    GROUP_NAME = "group.name",
    PROCESS_COMMAND_LINE = "process.command_line",
    PROCESS_WORKING_DIRECTORY = "process.working_directory",
    RELATED_IP = "related.ip",
    RELATED_USER = "related.user",
    SOURCE_MAC = "source.mac",
    DESTINATION_IP = "destination.ip",
    DESTINATION_MAC = "destination.mac",
    DESTINATION_PORT = "destination.port",
    NETWORK_BYTES = "network.bytes",
    NETWORK_TRANSPORT = "network.transport",
    OBSERVER_INGRESS_INTERFACE_NAME = "observer.ingress.interface.name",
    OBSERVER_EGRESS_INTERFACE_NAME = "observer.egress.interface.name",
    RULE_NAME = "rule.name",
    LABELS_HOME = "labels.home",
    LABELS_PAM_MODULE = "labels.pam_module",
    LABELS_PAM_SERVICE = "labels.pam_service",
    LABELS_SESSION = "labels.session",
    LABELS_SHELL = "labels.shell",
    LABELS_SSH_KEY = "labels.ssh_key",
    LABELS_SSH_METHOD = "labels.ssh_method",
    LABELS_TCP_FLAGS = "labels.tcp_flags",
    LABELS_TTY = "labels.tty",
}

/// A set of keys: exact for the first 128 numbers, which all well-known keys have, one bit for all others.
///
/// Two words rather than one of 128 bits, whose shifts take several instructions each.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeySet {
    first: [u64; 2],
    others: bool,
}

impl KeySet {
    /// Adds a key.
    #[inline]
    pub fn insert(&mut self, key: KeyId) {
        match self.first.get_mut(usize::from(key.0 >> 6)) {
            Some(word) => *word |= 1 << (key.0 & 63),
            None => self.others = true,
        }
    }

    /// Whether the key is in the set; for one that is not among the first 128: whether it may be.
    #[inline]
    #[must_use]
    pub fn may_contain(&self, key: KeyId) -> bool {
        self.first.get(usize::from(key.0 >> 6)).map_or(self.others, |word| word >> (key.0 & 63) & 1 == 1)
    }

    /// Whether the sets may have a key in common.
    #[inline]
    #[must_use]
    pub fn may_meet(&self, other: &Self) -> bool {
        let [low, high] = self.first;
        low & other.first[0] != 0 || high & other.first[1] != 0 || (self.others && other.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_numbered_in_order() {
        for (number, name) in KNOWN.iter().enumerate() {
            assert_eq!(KNOWN.iter().position(|other| other == name), Some(number), "{name} stands twice");
        }
        assert_eq!(KNOWN[SPAN_ID.0 as usize], "span.id");
        assert!(KNOWN.len() <= 128, "the encoder's mask of constant keys has 128 bits");
    }

    #[test]
    fn a_set_is_exact_for_well_known_keys() {
        let mut set = KeySet::default();
        for key in [TIMESTAMP, SPAN_ID, KeyId(63), KeyId(64), KeyId(127)] {
            assert!(!set.may_contain(key));
            set.insert(key);
            assert!(set.may_contain(key));
        }
        assert!(!set.may_contain(MESSAGE) && !set.may_contain(KeyId(300)));
        let mut other = KeySet::default();
        other.insert(KeyId(128));
        assert!(!set.may_meet(&other) && other.may_contain(KeyId(300)));
        other.insert(KeyId(64));
        assert!(set.may_meet(&other));
    }
}
