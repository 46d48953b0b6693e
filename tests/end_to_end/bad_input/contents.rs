//! Files that hold what no log should.

use std::fs::{File, OpenOptions};
use std::io::Write;

use logweir_benchmarks::Random;
use logweir_benchmarks::store::{Faults, Store};

use crate::scenarios::wait_until_settled;
use crate::support::daemon::Daemon;
use crate::support::eventually;
use crate::support::ledger::Ledger;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

/// A daemon that reads `logs/app.log` with a parser into a store.
fn start(scene: &Scene, parse: &str) -> (Store, Daemon) {
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", parse, &store.url()));
    (store, scene.run().wait_until_ready())
}

#[test]
fn a_line_of_100_megabytes_is_cut_and_marked_in_constant_memory() {
    let scene = Scene::new();
    let mut file = File::create(scene.log_path("app.log")).unwrap();
    file.write_all(b"item/000000000 ").unwrap();
    let piece = vec![b'x'; 1_000_000];
    for _ in 0..100 {
        file.write_all(&piece).unwrap();
    }
    file.write_all(b"\nitem/000000001 after it\n").unwrap();
    let (store, daemon) = start(&scene, "raw");
    wait_until_settled(&daemon, &store, 2);
    let long = store.stored().into_iter().find(|document| document.source.len() > 1000).unwrap();
    assert!(long.source.len() < 2_000_000, "{} bytes were sent", long.source.len());
    let text = String::from_utf8(long.source).unwrap();
    assert!(text.contains("truncated"), "the cut is not marked: …{}", &text[text.len() - 300..]);
    let peak = daemon.peak_mebibytes();
    assert!(peak < 100, "{peak} MiB for one long line");
}

#[test]
fn binary_garbage_arrives_as_documents_and_harms_no_neighbour() {
    for parse in ["nginx_access", "json", "syslog", "logfmt", "raw"] {
        let scene = Scene::new();
        let mut random = Random::new(21);
        let garbage: Vec<u8> = (0..200_000).map(|_| random.next_u64() as u8).collect();
        let lines = 1 + garbage.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let empty = count_empty(&garbage);
        let mut file = File::create(scene.log_path("app.log")).unwrap();
        file.write_all(&garbage).unwrap();
        file.write_all(b"\n").unwrap();
        let (store, daemon) = start(&scene, parse);
        append_numbered(&scene.log_path("app.log"), 0..10);
        eventually("the lines after the garbage arrive", || {
            store.verdict(0..10).lost.is_empty().then_some(())
        });
        eventually("nothing is in flight", || (Ledger::read(scene.admin())?.in_flight == 0).then_some(()));
        let stored = store.len() as u64;
        assert_eq!(store.counts().malformed, 0, "{parse}");
        assert!(
            stored <= lines + 10 && stored + empty >= lines + 10,
            "{parse}: {stored} of {lines} + 10, {empty} empty"
        );
        assert!(Ledger::read(daemon.admin()).unwrap().adds_up());
    }
}

/// Lines without a byte, which may or may not be documents.
fn count_empty(bytes: &[u8]) -> u64 {
    bytes.split(|&byte| byte == b'\n').filter(|line| line.is_empty() || *line == b"\r").count() as u64
}

#[test]
fn nuls_arrive_as_they_are() {
    let scene = Scene::new();
    std::fs::write(scene.log_path("app.log"), b"item/000000000 a\0b\nitem/000000001 \0\0\0\n").unwrap();
    let (store, daemon) = start(&scene, "raw");
    wait_until_settled(&daemon, &store, 2);
    assert_eq!(store.verdict(0..2), logweir_benchmarks::store::Verdict::default());
    let first = store.stored().into_iter().map(|document| String::from_utf8(document.source).unwrap());
    assert!(first.into_iter().any(|source| source.contains("a\\u0000b")));
}

#[test]
fn an_empty_file_is_followed_when_it_grows() {
    let scene = Scene::new();
    File::create(scene.log_path("app.log")).unwrap();
    let (store, daemon) = start(&scene, "nginx_access");
    append_numbered(&scene.log_path("app.log"), 0..100);
    wait_until_settled(&daemon, &store, 100);
    assert_eq!(store.verdict(0..100), logweir_benchmarks::store::Verdict::default());
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_read_again_from_its_start() {
    let scene = Scene::new();
    let log = scene.log_path("app.log");
    append_numbered(&log, 0..50_000);
    let (store, daemon) = start(&scene, "nginx_access");
    eventually("reading has begun", || (!store.is_empty()).then_some(()));
    OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    append_numbered(&log, 50_000..51_000);
    // What stood in the file when it shrank is gone; what came after must arrive, and nothing twice.
    eventually("the new lines arrive", || store.verdict(50_000..51_000).lost.is_empty().then_some(()));
    assert!(store.verdict(0..51_000).doubled.is_empty());
    assert!(Ledger::read(daemon.admin()).unwrap().adds_up());
}
