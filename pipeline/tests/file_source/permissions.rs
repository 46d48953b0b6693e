//! Permissions that are taken away and given back.
//!
//! Nothing binds root, so each test runs itself in a process without the capabilities to pass over permissions.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::lab::{Acks, Lab, run_limited};

fn run_bound(test: &str) {
    let shell = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "sh"];
    let root = std::process::Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    run_limited(if root { &shell } else { &shell[3..] }, "true", &format!("permissions::{test}"));
}

fn set_mode(lab: &Lab, name: &str, mode: u32) {
    std::fs::set_permissions(lab.path(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_or_folder_that_may_not_be_read_at_the_start_is_read_when_it_may() {
    run_bound("forbidden_at_the_start");
}

#[test]
#[ignore = "run by the test above, bound by permissions"]
fn forbidden_at_the_start() {
    for (forbidden, glob) in
        [("app/a.log", "app/*.log"), ("app", "app/*.log"), ("app", "app/a.log"), ("", "app/*.log")]
    {
        let lab = Lab::new(&[glob]);
        std::fs::create_dir(lab.path("app")).unwrap();
        lab.write("app/a.log", "one\n");
        set_mode(&lab, forbidden, 0o000);
        let run = lab.run(Acks::AtOnce);
        run.until("the failure is counted", |run| run.count(|files| &files.errors) > 0);
        run.expect_silence(Duration::from_millis(1500));
        assert_eq!(run.count(|files| &files.errors), 1, "{forbidden:?} is spoken of once");
        set_mode(&lab, forbidden, 0o755);
        run.expect(&["one"]);
        lab.append("app/a.log", "two\n");
        run.expect(&["one", "two"]);
        run.finish();
    }
}

#[test]
fn a_file_that_may_not_be_read_any_more_is_read_on_when_it_may() {
    run_bound("forbidden_meanwhile");
}

#[test]
#[ignore = "run by the test above, bound by permissions"]
fn forbidden_meanwhile() {
    for max_open_files in [16, 0] {
        for forbidden in ["app/a.log", "app", ""] {
            let mut lab = Lab::new(&["app/*.log"]);
            lab.config.max_open_files = max_open_files;
            lab.config.idle_after = Duration::from_millis(100);
            lab.config.discover_every = Duration::from_millis(200);
            std::fs::create_dir(lab.path("app")).unwrap();
            lab.write("app/a.log", "one\n");
            let mut writer = lab.open_append("app/a.log");
            let run = lab.run(Acks::AtOnce);
            run.expect(&["one"]);
            run.until("it is idle", |run| run.status.files()[0].state.name() == "idle");
            set_mode(&lab, forbidden, 0o000);
            writer.write_all(b"two\n").unwrap();
            if max_open_files == 0 {
                run.until("the failure is counted", |run| run.count(|files| &files.errors) > 0);
                run.expect_silence(Duration::from_millis(500));
            } else {
                // A descriptor that is open stays good.
                run.expect(&["one", "two"]);
            }
            set_mode(&lab, forbidden, 0o755);
            run.expect(&["one", "two"]);
            lab.append("app/a.log", "three\n");
            lab.write("app/b.log", "new\n");
            run.expect(&["new", "one", "three", "two"]);
            assert_eq!(run.count(|files| &files.lost_bytes_possible), 0);
            assert_eq!(run.count(|files| &files.rotated), 0);
            run.finish();
        }
    }
}
