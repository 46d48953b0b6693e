//! Aggregates: windows over real files, by `run` and by `backtest`, against sums that the test computes by itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use flate2::Compression;
use flate2::write::GzEncoder;
use logweir_benchmarks::Random;
use logweir_benchmarks::store::{Faults, Store};
use logweir_parsers::timestamp::rfc3339;
use logweir_parsers::{Context, Zone};
use serde_json::Value;

use super::kafka_source::bus;
use crate::support::daemon::logweir;
use crate::support::eventually;
use crate::support::kafka::{Client, NewRecord};
use crate::support::ledger::Ledger;
use crate::support::scene::Scene;
use crate::support::services::kafka::{Listener, kafka};

/// The first second of the readings, and how many seconds of them there are.
pub(super) const START: i64 = 1_795_422_600;
pub(super) const SECONDS: u64 = 600;
const SENSORS: u64 = 20;

pub(super) const CONFIG: &str = r#"
[sources.readings]
type = "file"
paths = ["{here}/logs/*.json*"]
parse = "json"

[aggregates.per_minute]
inputs = ["readings"]
where = { "kind" = "temperature" }
by = ["sensor"]
window = { tumbling = "1m" }
compute = { count = "count", sum = { sum = "value" } }

[outputs.results]
type = "file"
inputs = ["per_minute"]
path = "{here}/out/results.ndjson"
"#;

/// Readings of one file: about in order, never more than ten seconds out of it.
pub(super) fn readings(seed: u64, count: u64) -> Vec<(i64, u64, u64)> {
    let mut random = Random::new(seed);
    let reading = |number: u64| {
        let time = START * 1000 + i64::try_from(number * SECONDS * 1000 / count).unwrap();
        (time - i64::try_from(random.below(9_999)).unwrap(), random.below(SENSORS), random.below(1_000))
    };
    (0..count).map(reading).collect()
}

pub(super) fn lines(readings: &[(i64, u64, u64)]) -> String {
    let mut text = String::new();
    for (time, sensor, value) in readings {
        let (second, milli) = (time.div_euclid(1000), time.rem_euclid(1000));
        let kind = if value % 10 == 0 { "humidity" } else { "temperature" };
        writeln!(
            text,
            r#"{{"@timestamp":{second}.{milli:03},"sensor":"s{sensor}","kind":"{kind}","value":{value}}}"#
        )
        .unwrap();
    }
    text
}

/// Count and sum by minute and sensor.
pub(super) fn expected(readings: &[(i64, u64, u64)]) -> BTreeMap<(i64, String), (u64, u64)> {
    let mut sums = BTreeMap::<_, (u64, u64)>::new();
    for (time, sensor, value) in readings.iter().filter(|(.., value)| value % 10 > 0) {
        let sum = sums.entry((time.div_euclid(60_000) + 1, format!("s{sensor}"))).or_default();
        *sum = (sum.0 + 1, sum.1 + value);
    }
    sums
}

/// The same from documents, in their order.
pub(super) fn found(documents: &str) -> Vec<((i64, String), (u64, u64))> {
    let of = |line: &str| {
        let document = serde_json::from_str::<Value>(line).unwrap();
        let end = rfc3339(document["@timestamp"].as_str().unwrap().as_bytes(), &Context::new(0, Zone::UTC))
            .unwrap();
        assert_eq!(document["event.kind"], "metric");
        assert_eq!(document["event.dataset"], "logweir.aggregate");
        let sum = document["logweir.metrics.sum"].as_f64().unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let sum = sum as u64;
        let key = (end / 60_000_000_000, document["sensor"].as_str().unwrap().to_owned());
        (key, (document["logweir.metrics.count"].as_u64().unwrap(), sum))
    };
    documents.lines().map(of).collect()
}

pub(super) fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn compress(path: &Path, text: &str) {
    let mut file = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_windows_of_several_files_are_those_of_all_their_events() {
    let scene = Scene::new();
    let config = scene.write_config(CONFIG);
    let files = [1, 2, 3].map(|seed| readings(seed, 30_000));
    for (name, readings) in ["a.json", "b.json"].iter().zip(&files) {
        scene.write(format!("logs/{name}").as_str(), lines(readings));
    }
    compress(&scene.log_path("c.json.gz"), &lines(&files[2]));
    let expected = expected(&files.concat());

    let output = logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]);
    assert!(output.status.success(), "{}", said(&output));
    let documents = std::fs::read_to_string(scene.path("out/results.ndjson")).unwrap();
    let by_run = found(&documents);
    assert_eq!(by_run.iter().cloned().collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(by_run.len(), expected.len(), "some window came twice");
    assert!(by_run.is_sorted_by_key(|(key, _)| key.clone()), "results come in the order of their windows");

    let inputs = ["a.json", "b.json", "c.json.gz"].map(|name| scene.log_path(name));
    let mut arguments = vec!["backtest".as_ref(), config.as_os_str(), "--input".as_ref()];
    arguments.extend(inputs.iter().map(|path| path.as_os_str()));
    let output = logweir(&arguments);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(found(&String::from_utf8(output.stdout.clone()).unwrap()), by_run);
    assert!(said(&output).contains("90000 events read, 0 not parsed"), "{}", said(&output));
    assert!(said(&output).contains("per_minute: 220 results, 0 events late"), "{}", said(&output));

    let cut = "2026-11-23T08:35:00Z";
    let since = logweir(arguments.iter().copied().chain(["--since".as_ref(), cut.as_ref()]));
    let until = logweir(arguments.iter().copied().chain(["--until".as_ref(), cut.as_ref()]));
    let [since, until] = [since, until].map(|output| found(&String::from_utf8(output.stdout).unwrap()));
    assert!(!since.is_empty() && !until.is_empty());
    assert_eq!([until, since].concat(), by_run);
}

#[test]
fn a_window_closes_when_an_event_is_late_enough_or_nothing_comes_any_more() {
    let scene = Scene::new();
    let fast = "[time]\nlateness = \"1s\"\nidle_after = \"1s\"\n";
    scene.write_config(&format!("{fast}{CONFIG}"));
    let mut daemon = scene.run().wait_until_ready();
    let line = |second: i64| lines(&[(second * 1000, 1, 7)]);
    let results = || std::fs::read_to_string(scene.path("out/results.ndjson")).unwrap_or_default();
    append(&scene.log_path("a.json"), &(line(START) + &line(START + 59)));
    eventually("the first two readings are read", || (Ledger::read(daemon.admin())?.read >= 2).then_some(()));
    assert_eq!(results(), "");
    append(&scene.log_path("a.json"), &line(START + 119));
    let first = eventually("the first window", || Some(results()).filter(|results| results.ends_with('\n')));
    assert_eq!(found(&first), [((START / 60 + 1, "s1".to_owned()), (2, 14))]);
    let second = eventually("the clock closes the second", || {
        Some(results()).filter(|results| results.lines().count() > 1)
    });
    assert_eq!(found(&second)[1], ((START / 60 + 2, "s1".to_owned()), (1, 7)));
    assert!(daemon.terminate().success(), "{}", daemon.log());
}

#[test]
fn a_result_that_is_sent_again_is_stored_once() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let output = format!(
        "[outputs.store]\ntype = \"elasticsearch\"\ninputs = [\"per_minute\"]\nurls = [\"{}\"]\n",
        store.url()
    );
    let config = scene.write_config(&format!("{CONFIG}{output}"));
    let readings = readings(4, 2_000);
    scene.write("logs/a.json", lines(&readings));
    for _ in 0..2 {
        let output = logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]);
        assert!(output.status.success(), "{}", said(&output));
        // Read again from the beginning, as after the loss of all positions.
        std::fs::remove_dir_all(scene.path("data")).unwrap();
    }
    let windows = expected(&readings).len();
    assert_eq!((store.len(), store.counts().created), (windows, windows as u64));
    assert!(store.counts().conflicts > 0, "nothing was sent twice, so the test proved nothing");
}

#[test]
fn results_go_into_further_aggregates() {
    let scene = Scene::new();
    let further = r#"
[aggregates.per_five_minutes]
inputs = ["per_minute"]
window = { tumbling = "5m", offset = "1m" }
compute = { busiest = { max = "logweir.metrics.count" }, readings = { sum = "logweir.metrics.count" } }

[outputs.further]
type = "file"
inputs = ["per_five_minutes"]
path = "{here}/out/further.ndjson"
"#;
    let config = scene.write_config(&format!("{CONFIG}{further}"));
    let readings = readings(5, 20_000);
    let file = scene.write("logs/a.json", lines(&readings));
    let output = logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]);
    assert!(output.status.success(), "{}", said(&output));
    // End of the window, readings, and the most that a sensor had in a minute.
    let of = |text: &str| {
        let documents = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let documents = documents.filter(|document| document["logweir.aggregate.name"] == "per_five_minutes");
        let names = ["@timestamp", "logweir.metrics.readings", "logweir.metrics.busiest"];
        documents.map(|document| names.map(|name| document[name].clone())).collect::<Vec<_>>()
    };
    let results = of(&std::fs::read_to_string(scene.path("out/further.ndjson")).unwrap());
    let expected = expected(&readings);
    let total = results.iter().filter_map(|[_, readings, _]| readings.as_f64()).sum::<f64>();
    let most = results.iter().filter_map(|[.., busiest]| busiest.as_f64()).fold(0.0, f64::max);
    #[allow(clippy::cast_precision_loss)]
    let [all, busiest] =
        [expected.values().map(|sum| sum.0).sum::<u64>(), expected.values().map(|sum| sum.0).max().unwrap()]
            .map(|count| count as f64);
    assert!((total - all).abs() < 0.5 && (most - busiest).abs() < 0.5, "{results:?}");
    let output = logweir(["backtest".as_ref(), config.as_os_str(), "--input".as_ref(), file.as_os_str()]);
    assert_eq!(of(&String::from_utf8(output.stdout).unwrap()), results);
}

#[test]
fn a_backtest_says_what_it_cannot_do() {
    let scene = Scene::new();
    let config = scene.write_config(CONFIG);
    let file = scene.write("a.json", lines(&readings(6, 10)));
    let run = |more: &[&str]| {
        let arguments = ["backtest".as_ref(), config.as_os_str(), "--input".as_ref(), file.as_os_str()];
        let output = logweir(arguments.into_iter().chain(more.iter().map(AsRef::as_ref)));
        (output.status.code(), said(&output))
    };
    for (more, expected) in [
        (&["/nowhere.log"][..], "cannot read /nowhere.log: No such file"),
        (&["--source", "web"], "no source called `web` feeds an aggregate: there are `readings`"),
        (&["--format", "jsn"], "no format is called `jsn`; did you mean `json`?"),
        (&["--since", "yesterday"], "expected a time such as"),
    ] {
        let (code, said) = run(more);
        assert!(code != Some(0) && said.contains(expected), "{more:?}: {said}");
    }
    let (code, said) = run(&["--format", "raw"]);
    assert!(code == Some(0) && said.contains("per_minute: 0 results"), "{said}");
}

#[test]
fn no_partition_of_a_topic_is_late_because_another_is_read_first() {
    let client = Client::new(kafka().settings(Listener::Plaintext));
    client.create_topic("aggregates.readings", 3, 1);
    // More than one fetch of each partition, in the order of their times.
    let readings = (0..120_000_i64).map(|number| {
        let second = START + number / 60;
        let value =
            r#""kind":"temperature","value":1,"filling":"so that few records are a fetch of a partition""#;
        NewRecord {
            key: Some(number.to_be_bytes().to_vec()),
            ..NewRecord::of(format!(r#"{{"@timestamp":{second},"sensor":"s{}",{value}}}"#, number % 7))
        }
    });
    client.produce("aggregates.readings", readings);
    let scene = Scene::new();
    let brokers = kafka().addresses(Listener::Plaintext);
    let bus = bus(&brokers, "aggregates.readings", "aggregates", "parse = \"json\"");
    let aggregate = r#"
[time]
lateness = "1s"
idle_after = "5s"

[aggregates.per_minute]
inputs = ["bus"]
by = ["sensor"]
window = { tumbling = "1m" }
compute = { count = "count", sum = { sum = "value" } }

[outputs.results]
type = "file"
inputs = ["per_minute"]
path = "{here}/out/results.ndjson"
"#;
    scene.write_config(&format!("{bus}{aggregate}"));
    let mut daemon = scene.run().wait_until_ready();
    // 2,000 seconds are 33 whole minutes and a part; the parts are over when the clock says so.
    let documents = eventually("33 minutes of 7 sensors", || {
        let documents = std::fs::read_to_string(scene.path("out/results.ndjson")).ok()?;
        (documents.lines().count() >= 33 * 7 && documents.ends_with('\n')).then_some(documents)
    });
    let counts = found(&documents).into_iter().take(33 * 7).map(|(_, (count, _))| count);
    assert_eq!(counts.sum::<u64>(), 33 * 60 * 60, "{documents}");
    assert!(daemon.terminate().success(), "{}", daemon.log());
}
