//! What a store refuses for good can be listed, shown and, once the store takes it, delivered.

use std::path::Path;

use logweir_benchmarks::store::{Faults, Store};
use serde_json::Value;

use super::together::assert_every_line_has_one_id;
use super::wait_until_settled;
use crate::support::daemon::logweir;
use crate::support::ledger::Ledger;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

const LINES: u64 = 5_000;
/// `DeadLettered` among the exit codes.
const SOME_STAY: i32 = 3;

#[test]
fn refused_events_are_listed_shown_and_delivered_once_by_a_replay() {
    let scene = Scene::new();
    let faults = Faults { seed: 9, rejected_per_mille: 20, ..Faults::default() };
    let refusing = Store::start(faults).unwrap();
    let config_to = |store: &Store| {
        scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()))
    };
    let config = config_to(&refusing);
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let daemon = scene.run();
    wait_until_settled(&daemon, &refusing, LINES);
    let refused = refusing.verdict(0..LINES).rejected;
    assert!(refused.len() > 10, "the plan refuses too little");
    assert_eq!(Ledger::read(scene.admin()).unwrap().rejected, refused.len() as u64);

    // The daemon lives on: the commands work beside it.
    assert_list_tells(&config, refused.len());
    assert_show_tells(&config, &refused);
    let (code, said) = dead_letter("replay", &config);
    assert_eq!(
        (code, said.trim()),
        (SOME_STAY, &*format!("0 events were delivered, {} stay", refused.len()))
    );
    assert_list_tells(&config, refused.len());

    // A store that has learnt to take them, as after a repaired mapping, though not all in one request.
    let repaired = Store::start(Faults { max_body_bytes: Some(4_000), ..Faults::default() }).unwrap();
    config_to(&repaired);
    let (code, said) = dead_letter("replay", &config);
    assert_eq!((code, said.trim()), (0, &*format!("{} events were delivered, 0 stay", refused.len())));
    assert_eq!(repaired.len(), refused.len(), "only what was refused is sent, and once");
    assert_every_line_has_one_id(&[&refusing, &repaired], LINES);
    let targets = |store: &Store| store.stored().into_iter().map(|document| document.index);
    assert!(targets(&repaired).all(|index| index == "logs-nginx.access-default"));

    assert_eq!(dead_letter("list", &config), (0, "the dead letter is empty\n".to_owned()));
    assert_eq!(dead_letter("show", &config), (0, String::new()));
    assert_eq!(dead_letter("replay", &config).0, 0);
    assert_eq!(repaired.counts().conflicts, 0, "an emptied dead letter sends nothing");
}

/// One row for all: how many, which output, the status, and the store's own words.
fn assert_list_tells(config: &Path, refused: usize) {
    let (code, said) = dead_letter("list", config);
    assert_eq!(code, 0, "{said}");
    let reason = "document_parsing_exception: [1:15] failed to parse field [planned] of type [long]";
    let rows: Vec<&str> = said.lines().skip(1).collect();
    let [row] = rows[..] else { panic!("not one row: {said}") };
    let words: Vec<&str> = row.split_whitespace().take(3).collect();
    assert_eq!(words, [&*refused.to_string(), "store", "400"], "{said}");
    assert!(row.contains(reason), "{said}");
}

/// One JSON object a refused line, with the reason and the whole document.
fn assert_show_tells(config: &Path, refused: &[u64]) {
    let (code, said) = dead_letter("show", config);
    assert_eq!(code, 0, "{said}");
    let mut shown: Vec<u64> = Vec::new();
    for line in said.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&record["output"], &record["status"]), (&"store".into(), &400.into()));
        assert!(record["reason"].as_str().unwrap().contains("failed to parse field [planned]"), "{line}");
        assert_eq!(record["target"], "logs-nginx.access-default");
        let document = &record["document"];
        assert!(document["@timestamp"].is_string() && !record["id"].as_str().unwrap().is_empty(), "{line}");
        let text = document.to_string();
        let (_, rest) = text.split_once("item/").unwrap();
        shown.push(rest[..9].parse().unwrap());
    }
    shown.sort_unstable();
    assert_eq!(shown, refused);
}

/// The exit code and the standard output of `logweir dead-letter ACTION`.
fn dead_letter(action: &str, config: &Path) -> (i32, String) {
    let output = logweir(["dead-letter".as_ref(), action.as_ref(), config.as_os_str()]);
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}
