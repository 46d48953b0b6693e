//! Rotation by size and age.

use super::{Rig, files_below, once};

#[test]
fn a_large_file_is_renamed_and_compressed() {
    for gzip_rotated in [false, true] {
        let mut rig = Rig::new("out/app.log", |config| {
            config.rotate_bytes = Some(10);
            config.gzip_rotated = gzip_rotated;
        });
        let mut run = rig.start();
        for lines in [["line 1", "line 2"], ["line 3", "line 4"], ["line 5", "line 6"]] {
            run.write(&mut rig.source, &lines);
        }
        run.write(&mut rig.source, &["line 7"]);
        drop(run);
        let files = files_below(&rig.folder.path().join("out"));
        assert_eq!(files.len(), 4, "{files:?}");
        let compressed = files.iter().filter(|file| file.extension().is_some_and(|e| e == "gz")).count();
        assert_eq!(compressed, if gzip_rotated { 3 } else { 0 });
        let expected = ["line 1", "line 2", "line 3", "line 4", "line 5", "line 6", "line 7"];
        assert_eq!(rig.lines("out"), once(&expected));
        assert_eq!(rig.read("out/app.log"), "line 7\n");
    }
}

#[test]
fn a_crash_after_a_rotation_loses_and_doubles_nothing() {
    let mut rig = Rig::new("out/app.log", |config| config.rotate_bytes = Some(4));
    rig.start().write_and_crash(&mut rig.source, &["aa", "bb"]);
    rig.restart_source();
    let mut run = rig.start();
    run.write(&mut rig.source, &["aa", "bb"]);
    run.write(&mut rig.source, &["c"]);
    drop(run);
    rig.start().write(&mut rig.source, &["d"]);
    assert_eq!(rig.lines("out"), once(&["aa", "bb", "c", "d"]));
}

#[test]
fn an_old_file_is_renamed() {
    let mut rig = Rig::new("out/app.log", |config| config.rotate_after = Some(std::time::Duration::ZERO));
    let mut run = rig.start();
    run.write(&mut rig.source, &["a"]);
    run.write(&mut rig.source, &["b"]);
    assert_eq!(files_below(&rig.folder.path().join("out")).len(), 2);
    assert_eq!(rig.lines("out"), once(&["a", "b"]));
}
