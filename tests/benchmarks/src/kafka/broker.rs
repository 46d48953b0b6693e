//! A Kafka of one broker, in processes of its own.

use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use logweir_benchmarks::pace::wait_for;
use logweir_benchmarks::ports::free_port;
use logweir_benchmarks::servers::kafka::{self as recipe, Installation, Node, PLAINTEXT};
use logweir_benchmarks::servers::{Keeper, java};

use crate::Workplace;

/// A cold start takes some seconds on two idle cores.
const START_PATIENCE: Duration = Duration::from_secs(120);
const ID: i32 = 1;

/// The broker; it ends when this drops or the program ends.
pub(crate) struct Broker {
    process: Child,
    address: String,
    /// Removes the folder in the end.
    _keeper: Keeper,
}

impl Broker {
    /// Starts it over a new folder and waits until it listens.
    pub(crate) fn start(installation: &Installation, workplace: &Workplace) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("kafka-").tempdir_in(&workplace.folder)?;
        std::fs::create_dir(java::temporary(folder.path()))?;
        let listeners = vec![(PLAINTEXT, free_port()?)];
        let node = Node { id: ID, controller: free_port()?, listeners, proxy: None };
        let address = node.address(PLAINTEXT).context("the broker listens nowhere")?;
        installation.format(folder.path(), std::slice::from_ref(&node), "", ("nobody", "nothing"))?;
        let mut keeper = Keeper::over(folder.path())?;
        let folder = folder.keep();
        let process = installation.launch(&folder, ID)?;
        keeper.keep(process.id())?;
        let mut broker = Self { process, address, _keeper: keeper };
        broker.wait_until_it_listens(&folder)?;
        Ok(broker)
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn wait_until_it_listens(&mut self, folder: &Path) -> Result<()> {
        let ended = wait_for(START_PATIENCE, || match self.process.try_wait() {
            Ok(None) => TcpStream::connect(&self.address).is_ok().then_some(false),
            _ => Some(true),
        });
        if ended != Some(false) {
            bail!("Kafka does not listen: {}", recipe::log(folder, ID));
        }
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
