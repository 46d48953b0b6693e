//! Configs that are refused.

use super::{check, said};
use crate::support::scene::{Scene, file_to_store};

/// A config that is right but for one thing, and what the message must hold besides the file's name.
struct Case {
    name: &'static str,
    config: &'static str,
    told: &'static [&'static str],
}

const SOURCE: &str = "[sources.app]\ntype = \"file\"\npaths = [\"{here}/logs/app.log\"]\n";
const OUTPUT: &str = "[outputs.screen]\ntype = \"console\"\ninputs = [\"app\"]\n";

const CASES: &[Case] = &[
    Case {
        name: "unknown key",
        config: "{source}max_line_byte = \"1MiB\"\n{output}",
        told: &["max_line_byte", "max_line_bytes"],
    },
    Case {
        name: "unknown table",
        config: "{source}{output}[source.x]\ntype = \"file\"\n",
        told: &["source", "sources"],
    },
    Case {
        name: "unknown type",
        config: "{source}{output}[sources.b]\ntype = \"fil\"\npaths = [\"/x\"]\n",
        told: &["fil", "file"],
    },
    Case {
        name: "unknown parser",
        config: "{source}parse = \"nginx_acces\"\n{output}",
        told: &["nginx_acces", "nginx_access"],
    },
    Case { name: "wrong type", config: "{source}{output}batch_bytes = true\n", told: &["batch_bytes"] },
    Case {
        name: "paths is not a list of strings",
        config: "[sources.app]\ntype = \"file\"\npaths = 7\n{output}",
        told: &["paths"],
    },
    Case {
        name: "wrong unit",
        config: "{source}max_line_bytes = \"5 parsecs\"\n{output}",
        told: &["5 parsecs", "MiB"],
    },
    Case {
        name: "wrong time unit",
        config: "{source}partial_flush_after = \"5 parsecs\"\n{output}",
        told: &["5 parsecs", "ms"],
    },
    Case {
        name: "an output that nobody feeds",
        config: "{source}{output}[outputs.lonely]\ntype = \"console\"\ninputs = []\n",
        told: &["inputs", "empty"],
    },
    Case {
        name: "an input that is not there",
        config: "{source}[outputs.screen]\ntype = \"console\"\ninputs = [\"ap\"]\n",
        told: &["ap", "app"],
    },
    Case {
        name: "a circle of inputs",
        config: "{source}{output}[transforms.one]\ninputs = [\"two\"]\nsteps = []\n[transforms.two]\ninputs = [\"one\"]\nsteps = []\n",
        told: &["one", "two", "circle"],
    },
    Case {
        name: "a pattern that is none",
        config: "[sources.app]\ntype = \"file\"\npaths = [\"/var/log/[a\"]\n{output}",
        told: &["/var/log/[a"],
    },
    Case { name: "not TOML", config: "{source}{output}[outputs.x\n", told: &["]"] },
    Case {
        name: "a variable that is not set",
        config: "{source}{output}[outputs.s]\ntype = \"elasticsearch\"\ninputs = [\"app\"]\nurls = [\"${LOGWEIR_NOT_SET}\"]\n",
        told: &["LOGWEIR_NOT_SET"],
    },
    Case {
        name: "no URL",
        config: "{source}{output}[outputs.s]\ntype = \"elasticsearch\"\ninputs = [\"app\"]\nurls = [\"not a url\"]\n",
        told: &["not a url"],
    },
];

#[test]
fn each_mistake_is_told_with_its_file_its_place_and_what_is_right() {
    let mut wrong = Vec::new();
    for case in CASES {
        let scene = Scene::new();
        let text = case.config.replace("{source}", SOURCE).replace("{output}", OUTPUT);
        let config = scene.write_config(&text);
        let output = check(&config);
        let said = said(&output);
        let missing: Vec<_> =
            case.told.iter().chain(&["logweir.toml:"]).filter(|&&part| !said.contains(part)).collect();
        if output.status.success() || !missing.is_empty() {
            wrong.push(format!("== {}: {}, {missing:?} missing in:\n{said}", case.name, output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let scene = Scene::new();
    let text = format!("{SOURCE}pars = \"raw\"\nread_from = \"middle\"\n{OUTPUT}flush = 1\n");
    let output = check(&scene.write_config(&text));
    let said = said(&output);
    assert!(!output.status.success());
    assert!(["pars", "middle", "flush"].iter().all(|part| said.contains(part)), "{said}");
}

#[test]
fn a_config_that_is_not_there_is_named() {
    let scene = Scene::new();
    let output = check(&scene.path("absent.toml"));
    assert!(!output.status.success());
    assert!(said(&output).contains("absent.toml"), "{}", said(&output));
}

#[test]
fn a_right_config_passes() {
    let scene = Scene::new();
    let output =
        check(&scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "raw", "http://127.0.0.1:9200")));
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_secret_is_never_printed() {
    let scene = Scene::new();
    let secret = scene.write("secret", "s3cr3t-of-the-store\n");
    let config = file_to_store("\"{here}/logs/app.log\"", "raw", "http://127.0.0.1:1");
    let config = format!(
        "{config}username = \"shipper\"\npassword = \"file:{}\"\nunknown_key = 1\n",
        secret.display()
    );
    let output = check(&scene.write_config(&config));
    assert!(!output.status.success());
    assert!(!said(&output).contains("s3cr3t"), "{}", said(&output));
}
