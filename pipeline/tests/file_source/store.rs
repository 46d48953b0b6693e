//! The checkpoint store: damaged, lost, full.

use std::time::Duration;

use crate::lab::{Acks, Lab, texts};

fn store(lab: &Lab) -> std::path::PathBuf {
    lab.data.join("checkpoints.redb")
}

#[test]
fn a_damaged_store_is_set_aside_and_the_lines_have_the_same_ids() {
    for damage in [&b"this is no database"[..], b""] {
        let lab = Lab::new(&["a.log"]);
        lab.write("a.log", "one\ntwo\n");
        let first = lab.once();
        std::fs::write(store(&lab), damage).unwrap();
        assert_eq!(lab.once(), first);
        assert!(lab.once().is_empty());
        let aside = lab.data.join("checkpoints.redb.damaged-1");
        assert_eq!(aside.is_file(), !damage.is_empty());
    }
}

#[test]
fn a_store_with_damaged_pages_never_stops_the_start() {
    let lab = Lab::new(&["*.log"]);
    for number in 0..200 {
        lab.write(&format!("{number}.log"), format!("line of {number}\n"));
    }
    lab.once();
    let good = std::fs::read(store(&lab)).unwrap();
    for step in 0..16 {
        let mut bad = good.clone();
        let begin = step * bad.len() / 16;
        for byte in bad.iter_mut().skip(begin).take(2048) {
            *byte ^= 0x55;
        }
        std::fs::write(store(&lab), bad).unwrap();
        let lines = lab.once().len();
        assert!(lines == 0 || lines == 200, "{lines} at step {step}");
    }
}

#[test]
fn while_the_store_cannot_be_written_new_files_wait_and_others_go_on() {
    let lab = Lab::new(&["*.log"]);
    let disk = SmallDisk::mount(&lab);
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    disk.fill();
    // The store has some room of its own; positions use it up.
    run.until("the store is full", |run| {
        lab.write(&format!("new-{}.log", run.lines().len()), "new\n");
        lab.append("a.log", "more\n");
        run.checkpoints.flush().is_err()
    });
    let count = run.lines().len();
    lab.append("a.log", "still read\n");
    run.until("the old file is read on", |run| run.texts().contains(&"still read".to_owned()));
    lab.write("waits.log", "waits\n");
    run.expect_silence(Duration::from_millis(500));
    assert!(!run.texts().contains(&"waits".to_owned()), "{count}");
    disk.free();
    run.until("the new file is read", |run| run.texts().contains(&"waits".to_owned()));
    run.until("all files are read", |run| {
        let files = run.status.files();
        files.iter().all(|file| file.state.name() != "waiting" && file.acknowledged == file.size)
    });
    run.until("everything is stored", |run| run.checkpoints.flush().is_ok());
    run.finish();
    let again = lab.once();
    assert!(again.is_empty(), "{:?}", texts(&again));
}

/// A file system of a few MiB under `data_dir`, for which the test must run as root.
pub(crate) struct SmallDisk {
    path: std::path::PathBuf,
}

impl SmallDisk {
    pub(crate) fn mount(lab: &Lab) -> Self {
        std::fs::create_dir(&lab.data).unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(&lab.data)
            .status()
            .unwrap();
        assert!(mount.success(), "this test mounts a small file system and must run as root");
        Self { path: lab.data.clone() }
    }

    pub(crate) fn fill(&self) {
        let mut size = 4 * 1024 * 1024;
        let path = self.path.join("filler");
        let mut filler = std::fs::File::create(path).unwrap();
        while size >= 512 {
            if std::io::Write::write_all(&mut filler, &vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.path.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The folder is busy until the run is gone; a lazy unmount waits for that.
        drop(std::process::Command::new("umount").arg("-l").arg(&self.path).status());
    }
}
