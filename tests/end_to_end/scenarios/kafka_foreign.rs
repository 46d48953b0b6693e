//! Records of the two tools that everybody has: kcat and Kafka's console producer.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use logweir_benchmarks::store::{Faults, Store};

use super::kafka_source::{documents, figure, hub, wait_until_committed};
use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::services::kafka::{Listener, kafka};

const TOPIC: &str = "foreign";

/// Runs a tool with this input, and fails with what it says if it fails.
#[track_caller]
fn run(mut tool: Command, input: &[u8]) {
    tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = tool.spawn().unwrap_or_else(|error| panic!("{tool:?} does not start: {error}"));
    process.stdin.take().unwrap().write_all(input).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{tool:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn kcat(arguments: &[&str], input: &[u8]) {
    let mut kcat = Command::new("kcat");
    kcat.args(["-P", "-b", &kafka().addresses(Listener::Plaintext)[0], "-t", TOPIC]).args(arguments);
    run(kcat, input);
}

#[test]
fn records_of_kcat_and_the_console_producer_are_events() {
    let client = kafka().client();
    client.create_topic_with(TOPIC, 3, 1, &[("max.message.bytes", "4000000")]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let large = file("large", format!("item/000000004 {}", "x".repeat(2_000_000)).as_bytes());
    let ndjson = file("ndjson", b"{\"message\":\"item/000000005\"}\n{\"message\":\"item/000000006\"}\n");

    kcat(&[], b"item/000000000 is plain text\n{\"level\":\"warn\",\"msg\":\"item/000000001 is JSON\"}\n");
    kcat(&["-K", ":"], b"a key:item/000000002 has a key\n");
    kcat(&["-K", ":", "-Z"], b"a key without a value:\n");
    kcat(&[], b"item/000000003 \xff\xfe\x01 is garbage\n");
    kcat(&["-X", "message.max.bytes=4000000", &large], b"");
    kcat(&["-H", "content-type=application/x-ndjson", &ndjson], b"");
    let mut producer = kafka().tool("org.apache.kafka.tools.ConsoleProducer");
    producer.args(["--bootstrap-server", &kafka().addresses(Listener::Plaintext)[0], "--topic", TOPIC]);
    producer.args(["--reader-property", "parse.key=true", "--reader-property", "key.separator=:"]);
    producer.args(["--reader-property", "null.marker=NULL"]);
    run(
        producer,
        b"one:item/000000007 is of the console\nnobody:NULL\ntwo:{\"level\":\"error\",\"msg\":\"item/000000008\"}\n",
    );

    let store = Store::start(Faults::default()).unwrap();
    let scene = hub(TOPIC, TOPIC, &store, "parse = [\"json\", \"raw\"]");
    let daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &store, 9);
    assert_nothing_lost_nothing_doubled(&store, 9);
    wait_until_committed(&client, TOPIC, TOPIC);
    assert_eq!(figure(&daemon, "null_values"), 2);
    let documents = documents(&store);
    assert_eq!(documents[&1].1["log.level"], "warn");
    assert_eq!(documents[&2].1["message"], "item/000000002 has a key");
    assert!(documents[&3].1["message"].as_str().unwrap().ends_with(" is garbage"));
    assert_eq!(documents[&4].1["log.flags"][0], "truncated");
    assert_eq!(documents[&6].1["message"], "item/000000006");
    assert_eq!(documents[&8].1["log.level"], "error");
}
