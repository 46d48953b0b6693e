//! Configs as data: each `testdata/config/NAME.toml` (or folder `NAME`) with what is said of it, `NAME.expected`.
//!
//! `UPDATE_EXPECTED=1 cargo test` writes what is said into the files, for a person to read.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn environment(name: &str) -> Option<String> {
    (name == "LOGWEIR_TEST_SECRET").then(|| "hunter2".to_owned())
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/config")
}

#[test]
fn every_mistake_is_told_as_expected() {
    let folder = testdata();
    let mut cases = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "expected") {
            continue;
        }
        let (config, report) = load_with(std::slice::from_ref(&path), &environment);
        let place = format!("{}/", folder.display());
        let mut said = report.render(false).replace(&place, "");
        if let Some(config) = config {
            said.push_str("runs\n");
            assert!(!format!("{config:?}").contains("hunter2"), "the checked config shows a secret");
        }
        assert!(!said.contains("hunter2"), "{} prints a secret:\n{said}", path.display());
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap();
        assert_eq!(said, wanted, "{}", path.display());
        cases += 1;
    }
    assert!(cases >= 10);
}

#[test]
fn every_example_is_a_config_that_runs() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config-examples");
    // Certificates and passwords, which examples take from files.
    let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sample.pem");
    let environment = |name: &str| name.ends_with("_FILE").then(|| pem.display().to_string());
    let mut count = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let (config, report) = load_with(std::slice::from_ref(&path), &environment);
            assert!(config.is_some(), "{}", report.render(false));
            count += 1;
        }
    }
    assert!(count >= 3);
}

#[test]
fn a_missing_config_is_told_with_its_path() {
    let (config, report) = load_with(&[PathBuf::from("/nowhere/logweir.toml")], &environment);
    assert!(config.is_none());
    assert!(report.render(false).contains("cannot read the config `/nowhere/logweir.toml`"));
}

#[test]
fn every_default_is_a_value_of_its_type() {
    let name = raw::Located { value: "test", place: error::Place::new(0, 0..0) };
    let found = decode::Found { name, entries: Vec::new() };
    let mut decoder = decode::Decoder::new(&[], &environment);
    let keys = logweir_pipeline::Keys::new(1024);
    for kind in sources::KINDS {
        sources::decode("test", kind, &found, &keys, &mut decoder);
    }
    for kind in outputs::KINDS {
        outputs::decode("test", kind, &found, &keys, &mut decoder);
    }
    assert!(settings::Settings::decode(&found, &mut decoder).is_some());
    assert!(settings::Admin::decode(&found, &mut decoder).is_some());
    assert!(settings::DeadLetter::decode(&found, Path::new("data"), &mut decoder).is_some());
    for diagnostic in decoder.diagnostics {
        let said = format!("{diagnostic:?}");
        assert!(said.contains("has no `"), "only a required key may be missed: {said}");
    }
}

#[test]
fn every_key_that_is_listed_is_also_read() {
    for kind in schema::sections() {
        let header = kind.header.replace("NAME", "test");
        let header = if header.is_empty() { header } else { format!("[{header}]\n") };
        let component = kind.component.map(|component| format!("type = \"{component}\"\n"));
        for key in kind.all_keys().filter(|key| key.name != "type") {
            // No key takes a date.
            let text = format!("{header}{}{} = 2026-11-23\n", component.as_deref().unwrap_or(""), key.name);
            let files = vec![raw::ConfigFile { path: PathBuf::from("test.toml"), text }];
            let (_, diagnostics) = checked::check(&files, &environment);
            let said = Report { files, diagnostics }.render(false);
            assert!(said.contains(&format!("error: wrong value for `{}` in", key.name)), "{said}");
        }
    }
}
