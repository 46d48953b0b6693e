//! Real programs that nobody here wrote, at work on this machine: sshd, sudo, su and the tools of accounts log to
//! `/dev/log` as ever, which is our socket in a mount namespace of their own, and no line of theirs is strange to us.

use std::fs;
use std::process::{Command, Stdio};

use logweir_benchmarks::store::{Faults, Store};
use serde_json::Value;

use crate::support::http;
use crate::support::ledger::Ledger;
use crate::support::scene::Scene;
use crate::support::{eventually, free_port};

/// What the programs are made to do, in a shell script.
const WORK: &str = include_str!("host_programs.sh");
/// A line of the last program, `groupdel`.
const LAST: &str = "group 'weir-crew' removed";

/// What must have been understood: program, action, outcome, and the user who did it or to whom it was done, if any.
const DONE: &[(&str, &str, &str, &str)] = &[
    ("useradd", "user_added", "success", "weir-alice"),
    ("useradd", "user_added", "failure", "weir-alice"),
    ("groupadd", "group_added", "success", ""),
    ("usermod", "group_member_added", "success", "weir-alice"),
    ("chpasswd", "password_changed", "success", "weir-alice"),
    ("groupmod", "group_changed", "success", ""),
    ("passwd", "password_changed", "success", "weir-alice"),
    ("chage", "user_changed", "success", "weir-alice"),
    ("chsh", "user_changed", "success", "weir-alice"),
    ("sshd", "ssh_login", "success", "weir-alice"),
    ("sshd", "ssh_login", "failure", "weir-alice"),
    ("sshd", "ssh_login", "failure", "weir-mallory"),
    ("sshd", "ssh_login", "failure", "root"),
    ("sshd", "ssh_connection", "failure", ""),
    ("sshd", "session_opened", "success", "weir-alice"),
    ("sshd", "session_closed", "success", "weir-alice"),
    ("sudo", "sudo_command", "success", "weir-alice"),
    ("sudo", "sudo_command", "failure", "weir-alice"),
    ("sudo", "authentication", "failure", "weir-alice"),
    ("su", "su", "success", "root"),
    ("su", "su", "failure", "weir-alice"),
    ("userdel", "user_deleted", "success", "weir-alice"),
    ("groupdel", "group_deleted", "success", ""),
];

#[test]
fn no_line_of_a_real_sshd_sudo_su_or_useradd_is_strange() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test makes users in a namespace and must run as root"
    );
    let before = fs::read("/etc/passwd").unwrap();
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&format!(
        "[sources.host]\ntype = \"syslog\"\nlisten = [\"unixgram://{{here}}/log\"]\nparse_message = \"auto\"\n\
         [outputs.store]\ntype = \"elasticsearch\"\ninputs = [\"host\"]\nurls = [\"{}\"]\n",
        store.url()
    ));
    let daemon = scene.run().wait_until_ready();
    work(&scene);
    let documents = || {
        let stored = store.stored().into_iter();
        stored.map(|document| serde_json::from_slice::<Value>(&document.source).unwrap()).collect::<Vec<_>>()
    };
    let has_last = || documents().iter().any(|document| document["message"] == LAST);
    eventually(format_args!("everything is stored; {daemon}"), || {
        let settled = Ledger::read(scene.admin()).is_some_and(|ledger| ledger.in_flight == 0);
        (settled && has_last()).then_some(())
    });
    let documents = documents();
    let strange = documents.iter().filter(|document| {
        let is_known = document["event.category"].is_array() && document["event.action"].is_string();
        !is_known || document["event.kind"] != "event"
    });
    let strange = strange.map(|document| &document["message"]).collect::<Vec<_>>();
    assert!(strange.is_empty(), "of {} messages these are strange: {strange:#?}", documents.len());
    let ledger = http::get(scene.admin(), "/api/ledger").unwrap().json();
    assert_eq!(ledger["sources"]["host"]["unparsed"], 0);
    for done in DONE {
        assert!(documents.iter().any(|document| tells(document, done)), "nothing tells of {done:?}");
    }
    let remote = documents.iter().filter(|document| document["event.action"] == "ssh_login");
    let addresses = remote.filter_map(|document| document["source.ip"].as_str()).collect::<Vec<_>>();
    assert!(addresses.len() >= 6 && addresses.iter().all(|address| *address == "127.0.0.1"), "{addresses:?}");
    assert_eq!(before, fs::read("/etc/passwd").unwrap(), "the accounts of the machine were changed");
}

/// Runs the script and fails with what it said.
#[track_caller]
fn work(scene: &Scene) {
    let script = scene.write("work.sh", WORK);
    // The first process of the namespace of processes takes all others along when it ends.
    let output = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"])
        .arg(script)
        .arg(scene.path(""))
        .arg(free_port().to_string())
        .stdin(Stdio::null())
        .output();
    let output =
        output.unwrap_or_else(|error| panic!("this test needs unshare (Debian: util-linux): {error}"));
    assert!(
        output.status.success(),
        "this test needs unshare, sshd, ssh, sudo and useradd (Debian: util-linux, openssh-server, openssh-client, sudo, \
         passwd): {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn tells(document: &Value, (program, action, outcome, user): &(&str, &str, &str, &str)) -> bool {
    // What is called sshd-session since OpenSSH 9.8 is still sshd.
    let by = document["process.name"].as_str().is_some_and(|name| name.split('-').next() == Some(program));
    let users = ["user.name", "user.target.name", "user.effective.name"].map(|name| &document[name]);
    let is_about = user.is_empty() || users.iter().any(|name| *name == user);
    by && is_about && document["event.action"] == *action && document["event.outcome"] == *outcome
}
