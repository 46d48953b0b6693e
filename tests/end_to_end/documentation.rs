//! Everything that is shown is run: the quickstart, the example configs, the README's configs and commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::daemon::{binary, logweir};
use crate::support::eventually;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A copy of the example configs, so that what they write does not land in the tree.
fn copy_of_examples() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(root().join("config-examples")).arg(folder.path()).status();
    assert!(copied.unwrap().success());
    folder
}

struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_quickstart_writes_documents_and_says_what_it_reads_and_where_it_writes() {
    let folder = copy_of_examples();
    let output = fs::File::create(folder.path().join("output")).unwrap();
    let _daemon = KilledOnDrop(
        Command::new(binary())
            .args(["run", "config-examples/quickstart.toml"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap(),
    );
    let said = || fs::read_to_string(folder.path().join("output")).unwrap();
    eventually("documents stand on the console", || said().contains("\"@timestamp\"").then_some(()));
    eventually("documents stand in a file", || find_documents(folder.path()));
    let first: String = said().lines().take(12).collect::<Vec<_>>().join("\n");
    for part in ["reads", "writes", "admin"] {
        assert!(first.contains(part), "the first lines do not tell what it {part}:\n{first}");
    }
}

/// A written NDJSON file with a document in it, somewhere below.
fn find_documents(folder: &Path) -> Option<()> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return find_documents(&path);
        }
        let is_document_file = path.extension().is_some_and(|extension| extension == "ndjson");
        (is_document_file && fs::read_to_string(&path).ok()?.contains("\"@timestamp\"")).then_some(())
    })
}

#[test]
fn every_example_config_passes_the_check_and_its_own_tests() {
    let folder = copy_of_examples();
    let examples: Vec<PathBuf> = fs::read_dir(folder.path().join("config-examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(!examples.is_empty());
    let pem = root().join("daemon/testdata/sample.pem");
    for example in examples {
        let text = fs::read_to_string(&example).unwrap();
        let variables = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
        // Certificates and passwords come from files, other secrets from the environment itself.
        let files = variables.clone().filter_map(|variable| variable.split(":-").next());
        let files = files.filter(|name| name.ends_with("_FILE"));
        let required = variables.filter(|name| !name.contains(":-"));
        for command in ["check", "test"] {
            let output = Command::new(binary())
                .arg(command)
                .arg(&example)
                .envs(required.clone().map(|name| (name, "aWQ6a2V5")))
                .envs(files.clone().map(|name| (name, &pem)))
                .current_dir(folder.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command} {}: {said}", example.display());
        }
    }
}

#[test]
fn every_config_in_the_readme_passes_the_check() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> = code_blocks(&readme, "toml").collect();
    assert!(!blocks.is_empty());
    let folder = tempfile::tempdir().unwrap();
    // A later block adds an output to the first one's sources.
    let first = blocks[0];
    for block in &blocks {
        let text = if block.contains("[sources") { (*block).to_owned() } else { format!("{first}\n{block}") };
        let config = folder.path().join("readme.toml");
        let secret = folder.path().join("secret");
        fs::write(&secret, "c2VjcmV0").unwrap();
        let text = text.replace("/run/secrets/logweir", &secret.display().to_string());
        fs::write(&config, &text).unwrap();
        for command in ["check", "test"] {
            let output = logweir([command.as_ref(), config.as_os_str()]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command} {text}\n{said}");
        }
    }
}

#[test]
fn every_command_in_the_readme_exists() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = code_blocks(&readme, "sh").flat_map(str::lines);
    let commands: Vec<&str> = lines.filter_map(|line| line.strip_prefix("logweir ")).collect();
    assert!(!commands.is_empty());
    for command in commands {
        let words =
            command.split_whitespace().take_while(|word| !word.contains('.') && !word.starts_with('-'));
        let mut arguments: Vec<&str> = words.filter(|word| *word != "nginx_access").collect();
        arguments.push("--help");
        assert!(logweir(&arguments).status.success(), "logweir {command}");
    }
}

#[test]
fn the_reference_names_every_key_that_the_examples_use() {
    let output = logweir(["config-reference"]);
    assert!(output.status.success());
    let reference = String::from_utf8(output.stdout).unwrap();
    for entry in fs::read_dir(root().join("config-examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // The keys of a route are the names of its ports, those of `compute` the names of results, those of `body` what a
        // receiver of webhooks wants.
        let is_free = |section: &&str| {
            let header = section.split(']').next().unwrap_or_default();
            header.starts_with("routes.") || header.ends_with(".compute") || header.contains(".body")
        };
        let sections = text.split("\n[").filter(|section| !is_free(section));
        let lines = sections.flat_map(str::lines);
        for key in lines.filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim()) {
            let plain = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(!plain || reference.contains(key), "{}: {key} is not in the reference", path.display());
        }
    }
}

/// The contents of the fenced blocks of one language.
fn code_blocks<'a>(text: &'a str, language: &'a str) -> impl Iterator<Item = &'a str> {
    text.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}
