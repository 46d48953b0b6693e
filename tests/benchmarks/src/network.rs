//! A daemon that takes syslog from the network: its cost, what it loses at a high rate, what idle connections cost.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use logweir_benchmarks::generate::{LineFormat, LineGenerator};
use logweir_benchmarks::pace::{Pacer, wait_for};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::figures::{Figure, Measurement};
use crate::process::{Daemon, SinkProcess};
use crate::{Workplace, admin};

const PATIENCE: Duration = Duration::from_secs(120);
const SENDER_TURN: Duration = Duration::from_millis(1);
/// Bytes of a message, padded with what a message of a real service goes on with.
const MESSAGE_BYTES: usize = 250;

/// A daemon that listens, and the sink behind it.
struct Scene {
    sink: SinkProcess,
    daemon: Daemon,
    listen: SocketAddr,
    admin: SocketAddr,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

/// Sends over some connections as fast as they take it.
pub(crate) fn run_tcp(workplace: &Workplace, connections: usize, megabytes: u64) -> Result<Measurement> {
    let streams = (0..connections)
        .map(|number| lines(number as u64, megabytes as usize * 1_000_000 / connections))
        .collect::<Vec<_>>();
    let count = streams.iter().map(|stream| memchr::memchr_iter(b'\n', stream).count() as u64).sum::<u64>();
    let bytes = streams.iter().map(Vec::len).sum::<usize>() as f64;
    let scene = Scene::new(workplace, "tcp")?;
    let (started, cpu_before) = (Instant::now(), scene.daemon.cpu_seconds()?);
    std::thread::scope(|scope| {
        let senders = streams.iter().map(|stream| {
            scope.spawn(|| -> Result<()> { Ok(TcpStream::connect(scene.listen)?.write_all(stream)?) })
        });
        let senders = senders.collect::<Vec<_>>();
        senders
            .into_iter()
            .try_for_each(|sender| sender.join().unwrap_or_else(|_| anyhow::bail!("a sender broke")))
    })?;
    scene.wait_for_documents(|| Ok(count))?;
    Ok(Measurement::new(vec![
        (Figure::CpuPerGigabyte, (scene.daemon.cpu_seconds()? - cpu_before) / (bytes / 1e9)),
        (Figure::Throughput, bytes / 1e6 / started.elapsed().as_secs_f64()),
        (Figure::PeakMemory, scene.daemon.peak_mebibytes()?),
    ]))
}

/// Sends datagrams at a rate from four sockets. Each is delivered, or counted as dropped by the kernel.
pub(crate) fn run_udp(workplace: &Workplace, per_second: u64, seconds: u64) -> Result<Measurement> {
    let stream = lines(1, 4_000_000);
    let messages = stream.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>();
    let scene = Scene::new(workplace, "udp")?;
    let sockets = (0..4)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(scene.listen)?;
            Ok(socket)
        })
        .collect::<Result<Vec<_>>>()?;
    let (started, cpu_before) = (Instant::now(), scene.daemon.cpu_seconds()?);
    let mut pacer = Pacer::new(per_second, SENDER_TURN);
    let mut sent = 0;
    while sent < per_second * seconds {
        for _ in 0..pacer.next_turn() {
            let number = sent as usize;
            sockets[number % sockets.len()].send(messages[number % messages.len()])?;
            sent += 1;
        }
    }
    let rate = sent as f64 / started.elapsed().as_secs_f64();
    ensure!(rate > 0.95 * per_second as f64, "the sender reached only {rate:.0} messages a second");
    scene.wait_for_documents(|| Ok(sent - scene.kernel_drops()?))?;
    let share = (scene.daemon.cpu_seconds()? - cpu_before) / started.elapsed().as_secs_f64();
    Ok(Measurement::new(vec![
        (Figure::LostMessages, scene.kernel_drops()? as f64),
        (Figure::CpuShare, share * 100.0),
        (Figure::PeakMemory, scene.daemon.peak_mebibytes()?),
    ]))
}

/// Opens connections, sends one message over each, and leaves them open.
pub(crate) fn run_idle(workplace: &Workplace, connections: u64) -> Result<Measurement> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    ensure!(most > connections + 100, "the limit of open files is {most}");
    let stream = lines(1, 1_000_000);
    let mut messages = stream.split_inclusive(|byte| *byte == b'\n').cycle();
    let scene = Scene::new(workplace, "tcp")?;
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = TcpStream::connect(scene.listen)?;
        connection.write_all(messages.next().context("no messages")?)?;
        open.push(connection);
    }
    scene.wait_for_documents(|| Ok(connections))?;
    ensure!(scene.listener("connections")? == connections, "not all connections are open");
    Ok(Measurement::new(vec![(Figure::PeakMemory, scene.daemon.peak_mebibytes()?)]))
}

/// At least so many bytes of lines of RFC 5424.
fn lines(seed: u64, bytes: usize) -> Vec<u8> {
    let mut generator = LineGenerator::new(LineFormat::Syslog5424, seed);
    let mut stream = Vec::with_capacity(bytes + 1024);
    while stream.len() < bytes {
        let begin = stream.len();
        // A vector takes everything.
        generator.write_line(&mut stream).ok();
        stream.pop();
        while stream.len() < begin + MESSAGE_BYTES - 1 {
            let missing = begin + MESSAGE_BYTES - 1 - stream.len();
            stream.extend_from_slice(&b" in session 4211 of user deploy, slice user-1000"[..missing.min(48)]);
        }
        stream.push(b'\n');
    }
    stream
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

impl Scene {
    fn new(workplace: &Workplace, scheme: &str) -> Result<Self> {
        let folder = tempfile::tempdir_in(&workplace.folder)?;
        let sink = SinkProcess::start()?;
        let (listen, admin) = (free_port()?, free_port()?);
        let (config, log) = (folder.path().join("benchmark.toml"), folder.path().join("log"));
        let text = format!(
            "data_dir = \"{}\"\n\n[admin]\nlisten = \"{admin}\"\n\n[sources.net]\ntype = \"syslog\"\n\
             listen = [\"{scheme}://{listen}\"]\n\n\
             [outputs.sink]\ntype = \"elasticsearch\"\ninputs = [\"net\"]\nurls = [\"{}\"]\n",
            folder.path().join("data").display(),
            sink.url()
        );
        std::fs::write(&config, text)?;
        let mut daemon = Daemon::start(&workplace.binary, &config, &log)?;
        wait_for(PATIENCE, || match daemon.ended() {
            Ok(None) => admin::get(admin, "/ready").ok(),
            _ => Some(String::new()),
        })
        .filter(|answer| !answer.is_empty())
        .with_context(|| format!("not ready: {}", std::fs::read_to_string(&log).unwrap_or_default()))?;
        Ok(Self { sink, daemon, listen, admin, log, _folder: folder })
    }

    /// A count of the only listener.
    fn listener(&self, name: &str) -> Result<u64> {
        let source = admin::source(self.admin, "net")?;
        source["listeners"][0][name].as_u64().with_context(|| format!("no {name}"))
    }

    fn kernel_drops(&self) -> Result<u64> {
        self.listener("kernel_drops")
    }

    /// Waits until as many documents have arrived as there should be, and not one more.
    fn wait_for_documents(&self, expected: impl Fn() -> Result<u64>) -> Result<()> {
        let arrived = wait_for(PATIENCE, || match (self.sink.documents(), expected()) {
            (Ok(arrived), Ok(expected)) if arrived < expected => None,
            other => Some(other),
        });
        let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
        let (arrived, expected) = arrived.with_context(|| format!("not all messages arrived: {}", log()))?;
        let (arrived, expected) = (arrived?, expected?);
        ensure!(arrived == expected, "{expected} documents expected, {arrived} arrived: {}", log());
        Ok(())
    }
}
