//! Configs that are refused: the cases are data, in `configs.toml`.

use toml::{Table, Value};

use super::{check, said};
use crate::support::scene::Scene;

/// The texts of a list that a case may have.
fn texts<'a>(case: &'a Value, key: &str) -> Vec<&'a str> {
    let list = case.get(key).and_then(Value::as_array);
    list.into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn each_mistake_is_told_with_its_file_its_place_and_what_is_right() {
    let data: Table = include_str!("configs.toml").parse().unwrap();
    let text = |key: &str| data[key].as_str().unwrap();
    let mut wrong = Vec::new();
    for case in data["case"].as_array().unwrap() {
        let scene = Scene::new();
        scene.write("secret", "s3cr3t-of-the-store\n");
        let config = case["config"].as_str().unwrap();
        let config = config.replace("{source}", text("source")).replace("{output}", text("output"));
        let output = check(&scene.write_config(&config));
        let said = said(&output);
        let passes = case.get("passes").is_some();
        let mut told = texts(case, "told");
        if !passes {
            told.push("logweir.toml:");
        }
        let missing: Vec<_> = told.into_iter().filter(|part| !said.contains(part)).collect();
        let leaked: Vec<_> = texts(case, "untold").into_iter().filter(|part| said.contains(part)).collect();
        if output.status.success() != passes || !missing.is_empty() || !leaked.is_empty() {
            let (name, status) = (&case["name"], output.status);
            wrong.push(format!("== {name}: {status}, without {missing:?}, with {leaked:?}:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_config_that_is_not_there_is_named() {
    let scene = Scene::new();
    let output = check(&scene.path("absent.toml"));
    assert!(!output.status.success());
    assert!(said(&output).contains("absent.toml"), "{}", said(&output));
}
