//! `logweir dead-letter replay`: sends refused events to their outputs again.
//!
//! Owns: gathering records into requests, sending them, keeping what is refused again.
//! Promises: broken off or with its store away, it leaves every record in place; what the store has by then is
//! stored once all the same, because identities do not change.
//! Never: sends an event anywhere but to the output that refused it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use logweir_outputs::client::Client;
use logweir_outputs::dead_letter::{DeadLetter, Record};
use logweir_outputs::elasticsearch::ElasticsearchClient;
use logweir_outputs::output::OutputKind;
use logweir_outputs::payload::{ContentEncoding, Contents, Item, Payload, Run};
use logweir_outputs::verdict::{Mixed, Refusal, Verdict};
use tokio::runtime::Builder;

use crate::config::Config;
use crate::exit::Exit;

/// Bytes of one request.
const REQUEST_BYTES: usize = 5_000_000;
/// Attempts of one request before the replay is broken off.
const ATTEMPTS: u32 = 5;
/// The wait after the first attempt; it doubles.
const WAIT: Duration = Duration::from_millis(500);

/// Replays everything that is kept now.
pub(super) fn execute(config: &Config, dead_letter: &Arc<DeadLetter>) -> anyhow::Result<Exit> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let replay = dead_letter.begin_replay().context("cannot read the dead letter")?;
    let mut sender = Sender { clients: clients(config)?, settled: Settled::default() };
    let mut requests = BTreeMap::<(String, String), Request>::new();
    for record in replay.records() {
        let record = record.context("cannot read the dead letter")?;
        let request = requests.entry((record.output.clone(), record.target.clone())).or_default();
        request.bytes += record.document.get().len();
        request.records.push(record);
        if request.bytes >= REQUEST_BYTES {
            runtime.block_on(sender.send(std::mem::take(request).records))?;
        }
    }
    for request in requests.into_values() {
        runtime.block_on(sender.send(request.records))?;
    }
    let Settled { kept, delivered } = sender.settled;
    replay.finish(&kept)?;
    writeln!(io::stdout(), "{delivered} events were delivered, {} stay", kept.len())?;
    Ok(if kept.is_empty() { Exit::Success } else { Exit::DeadLettered })
}

/// The outputs that refuse events one by one.
fn clients(config: &Config) -> anyhow::Result<BTreeMap<String, ElasticsearchClient>> {
    let mut clients = BTreeMap::new();
    for output in &config.outputs {
        if let OutputKind::Elasticsearch(elasticsearch) = &output.kind {
            clients.insert(output.name.clone(), ElasticsearchClient::new(elasticsearch)?);
        }
    }
    Ok(clients)
}

/// Records for one output and target.
#[derive(Default)]
struct Request {
    records: Vec<Record>,
    bytes: usize,
}

struct Sender {
    clients: BTreeMap<String, ElasticsearchClient>,
    settled: Settled,
}

/// What became of the records.
#[derive(Default)]
struct Settled {
    /// Records that stay: refused again, or of an output that is not in the config.
    kept: Vec<Record>,
    delivered: usize,
}

impl Sender {
    /// Sends records of one output and target. A request that is refused as a whole is halved until single records are
    /// left. Fails when the store does not get on.
    async fn send(&mut self, mut records: Vec<Record>) -> anyhow::Result<()> {
        let Some(output) = records.first().map(|record| record.output.clone()) else {
            return Ok(());
        };
        let Some(client) = self.clients.get(&output) else {
            self.settled.kept.append(&mut records);
            return Ok(());
        };
        let mut requests = vec![records];
        while let Some(mut records) = requests.pop() {
            let sent = self.settled.send(client, &mut records).await;
            let Some(refusal) = sent.with_context(|| format!("cannot send to the output `{output}`"))? else {
                continue;
            };
            if records.len() > 1 {
                let second = records.split_off(records.len() / 2);
                requests.extend([second, records]);
            } else {
                self.settled.kept.extend(records.into_iter().map(|record| refused(record, &refusal)));
            }
        }
        Ok(())
    }
}

fn refused(record: Record, refusal: &Refusal) -> Record {
    Record { status: refusal.status, reason: refusal.reason.clone(), ..record }
}

impl Settled {
    /// Sends records until each is settled, or until all that are left are refused as a whole: then they stay in
    /// `records`, and the refusal is given.
    async fn send(
        &mut self,
        client: &ElasticsearchClient,
        records: &mut Vec<Record>,
    ) -> anyhow::Result<Option<Refusal>> {
        let (mut wait, mut reason) = (WAIT, String::new());
        for _ in 0..ATTEMPTS {
            match client.send(&payload(records)?).await {
                Verdict::Delivered { .. } => {
                    self.delivered += records.len();
                    return Ok(None);
                }
                Verdict::Mixed(mixed) => {
                    if let Some((_, trouble)) = &mixed.retry {
                        reason.clone_from(&trouble.reason);
                    }
                    *records = self.settle(std::mem::take(records), &mixed);
                    if records.is_empty() {
                        return Ok(None);
                    }
                }
                Verdict::Refused(refusal) => return Ok(Some(refusal)),
                Verdict::Retry(trouble) => reason = trouble.reason,
                Verdict::Closed(ended) => bail!("the output has ended: {ended}"),
                Verdict::Abandoned => bail!("the output gave the events back"),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        bail!("it does not take the events, and all stay in the dead letter: {reason}")
    }

    /// Counts what is delivered and keeps what is refused; gives what is to be sent again.
    fn settle(&mut self, records: Vec<Record>, mixed: &Mixed) -> Vec<Record> {
        let again = mixed.retry.as_ref().map_or(&[][..], |(items, _)| items);
        let mut rest = Vec::new();
        for (index, record) in (0..).zip(records) {
            if let Some((_, refusal)) = mixed.rejected.iter().find(|(item, _)| *item == index) {
                self.kept.push(refused(record, refusal));
            } else if again.binary_search(&index).is_ok() {
                rest.push(record);
            } else {
                self.delivered += 1;
            }
        }
        rest
    }
}

/// A request with these records, in which each is an item of its own.
fn payload(records: &[Record]) -> anyhow::Result<Payload> {
    let (mut body, mut contents) = (Vec::new(), Contents::default());
    for (index, record) in (0..).zip(records) {
        let action = if record.id.is_empty() {
            serde_json::json!({ "create": {} })
        } else {
            serde_json::json!({ "create": { "_id": record.id } })
        };
        writeln!(body, "{action}\n{}", record.document.get())?;
        contents.items.push(Item { end: u32::try_from(body.len())?, event: index });
    }
    let target = records.first().map_or("", |record| record.target.as_str());
    contents.runs.push(Run { target: target.into(), end: u32::try_from(records.len())? });
    Ok(Payload::new(Bytes::from(body), ContentEncoding::Identity, contents, None))
}
