//! The threads of one stage.
//!
//! Owns: [`Stage`].
//! Promises: a thread that fails asks everyone to stop, so the pipeline never runs on with a hole in it.
//! Never: ends a thread; threads end because their work does.

use std::thread::{self, JoinHandle};

use anyhow::Context;
use logweir_pipeline::Stop;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::End;

/// The threads of one stage. Each holds a sender that nothing is sent through: when all are dropped the stage has
/// ended.
#[derive(Debug)]
pub(super) struct Stage {
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
    alive: Option<Sender<()>>,
    all_gone: Receiver<()>,
}

/// Dropped when its thread ends.
struct Alive {
    _alive: Option<Sender<()>>,
    stop: Stop,
    succeeded: bool,
}

impl Drop for Alive {
    fn drop(&mut self) {
        if !self.succeeded {
            self.stop.ask();
        }
    }
}

impl Default for Stage {
    fn default() -> Self {
        let (alive, all_gone) = mpsc::channel(1);
        Self { threads: Vec::new(), alive: Some(alive), all_gone }
    }
}

impl Stage {
    /// Starts a thread; when it fails, `stop` is asked for.
    pub(super) fn spawn(
        &mut self,
        name: &str,
        stop: &Stop,
        work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let alive = Alive { _alive: self.alive.clone(), stop: stop.clone(), succeeded: false };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut alive = alive; // the whole, not only the field that is written below
            let result = work();
            alive.succeeded = result.is_ok();
            result
        });
        self.threads.push(thread.with_context(|| format!("cannot start the thread `{name}`"))?);
        Ok(())
    }

    /// Waits until every thread has ended; the failed ones are noted.
    pub(super) async fn ended(&mut self, end: &mut End) {
        self.alive = None;
        while self.all_gone.recv().await.is_some() {}
        for thread in self.threads.drain(..) {
            let name = thread.thread().name().unwrap_or("unnamed").to_owned();
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => end.failures.push(format!("{name}: {error:#}")),
                Err(_) => end.failures.push(format!("the thread `{name}` broke; the log above says why")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_for(stop: &Stop) -> anyhow::Result<()> {
        while !stop.wait(std::time::Duration::from_secs(60)) {}
        Ok(())
    }

    #[tokio::test]
    async fn a_stage_ends_with_its_last_thread() {
        let (mut stage, stop, mut end) = (Stage::default(), Stop::default(), End::default());
        for name in ["one", "two"] {
            let wait = stop.clone();
            stage.spawn(name, &stop, move || wait_for(&wait)).unwrap();
        }
        stop.ask();
        stage.ended(&mut end).await;
        assert!(end.failures.is_empty());
    }

    #[tokio::test]
    async fn a_failed_thread_stops_the_others_and_is_noted() {
        let (mut stage, stop, mut end) = (Stage::default(), Stop::default(), End::default());
        let wait = stop.clone();
        stage.spawn("patient", &stop, move || wait_for(&wait)).unwrap();
        stage.spawn("broken", &stop, || panic!("on purpose")).unwrap();
        stage.ended(&mut end).await;
        assert_eq!(end.failures, ["the thread `broken` broke; the log above says why"]);

        stage = Stage::default();
        stage.spawn("unlucky", &stop, || anyhow::bail!("no luck")).unwrap();
        stage.ended(&mut end).await;
        assert_eq!(end.failures[1], "unlucky: no luck");
    }
}
