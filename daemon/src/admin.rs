//! The admin interface: HTTP for health, metrics, the ledger and taps.
//!
//! Owns: [`Overview`], what there is to see of a running pipeline, and the server.
//! Promises: on a loopback address it answers only requests that name a loopback host, so no web page can reach it
//! through a foreign name; looking costs the pipeline nothing but a short lock.
//! Never: changes anything; never shows a secret; shows events only to whom `[admin] tap` allows it.

mod api;
mod metrics;
mod peer;
mod tap;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use logweir_outputs::status::{OutputState, OutputStatus};
use logweir_pipeline::operator::Operator;
use logweir_pipeline::source::file::FileSourceStatus;
#[cfg(feature = "kafka")]
use logweir_pipeline::source::kafka::KafkaSourceStatus;
use logweir_pipeline::source::syslog::SyslogStatus;
use logweir_pipeline::tap::Taps;
use logweir_pipeline::transform::Transform;
use logweir_pipeline::{Keys, Ledger, Memory, Stop};
use tokio::net::TcpListener;

use crate::config::settings::{Admin, TapAccess};

/// What there is to see of a running pipeline.
#[derive(Debug)]
pub(crate) struct Overview {
    /// Where the lines of each source went.
    pub(crate) ledger: Ledger,
    /// The files of each file source.
    pub(crate) files: Vec<(String, Arc<FileSourceStatus>)>,
    /// The transforms, whose steps count what they could not do.
    pub(crate) transforms: Vec<Arc<Transform>>,
    /// The listeners of each syslog source.
    pub(crate) syslog: Vec<(String, Arc<SyslogStatus>)>,
    /// The group and partitions of each Kafka source.
    #[cfg(feature = "kafka")]
    pub(crate) kafka: Vec<(String, Arc<KafkaSourceStatus>)>,
    /// The aggregates and rules whose results go somewhere.
    pub(crate) operators: Vec<Arc<dyn Operator>>,
    /// How each output is doing.
    pub(crate) outputs: Vec<Arc<OutputStatus>>,
    /// The memory for events.
    pub(crate) memory: Arc<Memory>,
    /// The points where events can be seen.
    pub(crate) taps: Arc<Taps>,
    /// The names of fields.
    pub(crate) keys: Arc<Keys>,
    /// Who may see events.
    pub(crate) tap_access: TapAccess,
    /// Whether the process was asked to end.
    pub(crate) stop: Stop,
}

impl Overview {
    /// Whether lines are taken and every output is there.
    fn is_ready(&self) -> bool {
        !self.stop.is_asked() && self.outputs.iter().all(|output| output.state() != OutputState::Ended)
    }
}

/// Begins to listen. `None` when the interface is off, or its default address is taken.
pub(crate) async fn listen(admin: Admin) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = admin.listen else {
        return Ok(None);
    };
    match TcpListener::bind(address).await {
        Ok(listener) => {
            if !address.ip().is_loopback() {
                tracing::warn!(%address, "the admin interface can be reached from other hosts and asks for no password");
            }
            Ok(Some(listener))
        }
        Err(error) if !admin.required => {
            tracing::warn!(
                "the default admin address {address} cannot be used ({error}); going on without the admin interface; \
                 `[admin] listen` in the config sets another"
            );
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "cannot listen on {address}, the address of [admin] listen; choose a free one, or \"off\""
            )
        }),
    }
}

/// Serves until the runtime ends.
pub(crate) async fn serve(listener: TcpListener, address: SocketAddr, overview: Arc<Overview>) {
    let router = api::router(overview, address);
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the admin interface has ended");
    }
}
