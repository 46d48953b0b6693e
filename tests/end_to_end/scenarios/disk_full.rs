//! The disk under `data_dir` is full: lines go on arriving, and the positions are written when there is room again.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use logweir_benchmarks::store::{Faults, Store};

use super::{assert_nothing_lost_nothing_doubled, wait_for_documents, wait_until_settled};
use crate::support::ledger::Witness;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

/// A small file system of its own, unmounted when it drops.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    fn mount(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(&path).output();
        let output = mounted.unwrap();
        assert!(
            output.status.success(),
            "this test fills a small tmpfs and must be allowed to mount one: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self { path }
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut filler = File::create(self.path.join("filler")).unwrap();
        for piece in [64 * 1024, 512, 1] {
            while filler.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.path.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a daemon that is just ending may still hold a file.
        Command::new("umount").arg("-l").arg(&self.path).status().ok();
    }
}

#[test]
fn a_full_disk_under_the_data_directory() {
    let scene = Scene::new();
    let disk = SmallDisk::mount(scene.path("data"));
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()));
    let witness = Witness::watch(scene.admin());
    let log = scene.log_path("app.log");

    let mut daemon = scene.run().wait_until_ready();
    append_numbered(&log, 0..10_000);
    wait_for_documents(&daemon, &store, 10_000);
    disk.fill();
    append_numbered(&log, 10_000..20_000);
    wait_for_documents(&daemon, &store, 20_000);
    // What could not be written down is read again by the next daemon, and known to the store.
    daemon.kill();
    let mut daemon = scene.run().wait_until_ready();
    append_numbered(&log, 20_000..30_000);
    wait_for_documents(&daemon, &store, 30_000);
    disk.free();
    append_numbered(&log, 30_000..40_000);
    wait_until_settled(&daemon, &store, 40_000);
    assert!(daemon.terminate().success(), "{}", daemon.log());
    assert!(daemon.log().contains("data"), "the log names the folder that is full: {}", daemon.log());

    // The positions were written down once there was room: a new daemon reads nothing twice.
    let conflicts = store.counts().conflicts;
    let daemon = scene.run().wait_until_ready();
    append_numbered(&log, 40_000..41_000);
    wait_until_settled(&daemon, &store, 41_000);
    assert_eq!(store.counts().conflicts, conflicts);
    assert_nothing_lost_nothing_doubled(&store, 41_000);
    witness.assert_it_always_added_up();
}
