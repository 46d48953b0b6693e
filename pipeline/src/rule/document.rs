//! An alert as a document.
//!
//! Owns: [`RuleText`], what the config says of a rule for people, and [`Documents`].
//! Promises: one JSON object a line, in ECS: `event.kind` is `alert`, the rule stands under `rule`, MITRE ATT&CK under `threat`, the
//! fields of the group under their own names, the window and the evidence under `logweir`.
//! Never: sends one.

use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3;

use super::Fired;
use super::matches::{GROUP_END, Match};
use crate::event::Origin;
use crate::time::TimeText;

/// What the config says of a rule for people.
#[derive(Clone, Debug, Default)]
pub struct RuleText {
    /// What it is called.
    pub title: String,
    /// Its identity; of those of the pack and of Sigma a UUID.
    pub id: String,
    /// How bad it is.
    pub level: Level,
    /// What it is about.
    pub description: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// Tags as Sigma has them, such as `attack.t1110`.
    pub tags: Vec<String>,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Informational,
    /// Worth a look.
    Low,
    /// Worth a look today.
    #[default]
    Medium,
    /// Worth a look now.
    High,
    /// Worth getting up for.
    Critical,
}

impl Level {
    /// The score that Elastic's detection rules give to the level; 1 for `informational`.
    fn score(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 21,
            Self::Medium => 47,
            Self::High => 73,
            Self::Critical => 99,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// The tactics of MITRE ATT&CK: the tag, the number and the name of each.
const TACTICS: &[(&str, &str, &str)] = &[
    ("reconnaissance", "TA0043", "Reconnaissance"),
    ("resource_development", "TA0042", "Resource Development"),
    ("initial_access", "TA0001", "Initial Access"),
    ("execution", "TA0002", "Execution"),
    ("persistence", "TA0003", "Persistence"),
    ("privilege_escalation", "TA0004", "Privilege Escalation"),
    ("defense_evasion", "TA0005", "Defense Evasion"),
    ("credential_access", "TA0006", "Credential Access"),
    ("discovery", "TA0007", "Discovery"),
    ("lateral_movement", "TA0008", "Lateral Movement"),
    ("collection", "TA0009", "Collection"),
    ("command_and_control", "TA0011", "Command and Control"),
    ("exfiltration", "TA0010", "Exfiltration"),
    ("impact", "TA0040", "Impact"),
];

/// Writes the alerts of one rule.
#[derive(Debug)]
pub(super) struct Documents {
    /// The identity of the rule.
    id: String,
    /// What stands behind the time: nothing depends on the alert.
    head: Vec<u8>,
    /// The fields of the group, and the field of those related to the event that it belongs to, if it is one of those.
    group: Vec<(String, Option<&'static str>)>,
    time: TimeText,
}

impl Documents {
    pub(super) fn new(name: &str, kind: &str, text: &RuleText, group: &[String]) -> Self {
        let mut head = Vec::new();
        let mut add = |name: &str, value: Value| {
            head.extend_from_slice(format!(",{}:{value}", json!(name)).as_bytes());
        };
        add("message", json!(text.title));
        add("event.kind", json!("alert"));
        add("event.dataset", json!("logweir.alert"));
        add("event.severity", json!(text.level.score()));
        add("event.risk_score", json!(f64::from(text.level.score())));
        add("rule.name", json!(text.title));
        add("rule.id", json!(text.id));
        let texts = [("rule.description", &text.description), ("rule.author", &text.author)];
        for (name, value) in texts {
            value.iter().for_each(|value| add(name, json!(value)));
        }
        text.references.iter().take(1).for_each(|reference| add("rule.reference", json!(reference)));
        if !text.tags.is_empty() {
            add("tags", json!(text.tags));
        }
        threats(&text.tags).into_iter().for_each(|(name, values)| add(name, json!(values)));
        add("logweir.rule.name", json!(name));
        add("logweir.rule.type", json!(kind));
        add("logweir.rule.level", json!(text.level.name()));
        let group = group.iter().map(|name| (name.clone(), related(name))).collect();
        Self { id: text.id.clone(), head, group, time: TimeText::new() }
    }

    /// The identity of an alert about this group.
    pub(super) fn id(&self, fired: &Fired, group: &[u8]) -> Origin {
        let mut hash = Xxh3::new();
        hash.update(self.id.as_bytes());
        hash.update(&[0, fired.part]);
        hash.update(&fired.end.to_be_bytes());
        hash.update(&fired.last_event.stream.to_be_bytes());
        hash.update(&fired.last_event.offset.to_be_bytes());
        hash.update(group);
        Origin::from_hash(hash.digest128())
    }

    /// Appends an alert about this group, without a line end. `evidence` are its first and last event, as far as their lines are
    /// known.
    pub(super) fn write(&mut self, fired: &Fired, group: &[u8], evidence: &[&Match], out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"@timestamp\":");
        self.push_time(fired.last, out);
        out.extend_from_slice(&self.head);
        self.write_group(group, out);
        for (label, time) in [
            (",\"logweir.window.start\":", fired.start),
            (",\"logweir.window.end\":", fired.end),
            (",\"logweir.alert.first\":", fired.first),
            (",\"logweir.alert.last\":", fired.last),
        ] {
            out.extend_from_slice(label.as_bytes());
            self.push_time(time, out);
        }
        let numbers = json!([fired.count, fired.value, fired.threshold]);
        let numbers = numbers.as_array().into_iter().flatten();
        for (label, number) in ["count", "value", "threshold"].iter().zip(numbers) {
            out.extend_from_slice(format!(",\"logweir.alert.{label}\":{number}").as_bytes());
        }
        for (number, found) in evidence.iter().enumerate() {
            out.extend_from_slice(if number == 0 { b",\"logweir.alert.evidence\":[" } else { b"," });
            found.write(out);
        }
        out.extend_from_slice(if evidence.is_empty() { b"}" } else { b"]}" });
    }

    fn push_time(&mut self, time: i64, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.time.render(time));
        out.push(b'"');
    }

    fn write_group(&self, group: &[u8], out: &mut Vec<u8>) {
        let values = group.split(|byte| *byte == GROUP_END).collect::<Vec<_>>();
        for ((name, _), value) in self.group.iter().zip(&values).filter(|(_, value)| !value.is_empty()) {
            out.extend_from_slice(format!(",{}:", json!(name)).as_bytes());
            out.extend_from_slice(value);
        }
        for wanted in ["related.ip", "related.user", "related.hosts"] {
            let of = self.group.iter().zip(&values).filter(|((_, related), _)| *related == Some(wanted));
            let of = of.map(|(_, value)| *value).filter(|value| !value.is_empty()).collect::<Vec<_>>();
            if !of.is_empty() {
                out.extend_from_slice(format!(",\"{wanted}\":[").as_bytes());
                out.extend_from_slice(&of.join(&b','));
                out.push(b']');
            }
        }
    }
}

/// The field of related values that a field of a group belongs to (ECS, "Related").
fn related(name: &str) -> Option<&'static str> {
    match name {
        "user.name" | "user.id" => Some("related.user"),
        "host.name" | "host.hostname" => Some("related.hosts"),
        _ => name.ends_with(".ip").then_some("related.ip"),
    }
}

/// What the tags say in MITRE ATT&CK.
fn threats(tags: &[String]) -> Vec<(&'static str, Vec<String>)> {
    let known = tags.iter().filter_map(|tag| tag.strip_prefix("attack.")).collect::<Vec<_>>();
    let mut fields: [(&'static str, Vec<String>); 5] = [
        ("threat.framework", Vec::new()),
        ("threat.tactic.id", Vec::new()),
        ("threat.tactic.name", Vec::new()),
        ("threat.technique.id", Vec::new()),
        ("threat.technique.subtechnique.id", Vec::new()),
    ];
    for tag in known {
        fields[0].1 = vec!["MITRE ATT&CK".to_owned()];
        if let Some((_, id, name)) = TACTICS.iter().find(|(known, ..)| *known == tag.replace('-', "_")) {
            fields[1].1.push((*id).to_owned());
            fields[2].1.push((*name).to_owned());
        } else if tag.starts_with('t') {
            let place = if tag.contains('.') { 4 } else { 3 };
            fields[place].1.push(tag.to_uppercase());
        }
    }
    fields.into_iter().filter(|(_, values)| !values.is_empty()).collect()
}
