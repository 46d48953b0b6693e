//! Which files this process writes itself.
//!
//! Owns: [`own_files`], the list that file sources are given so that none of them reads what it causes.
//! Promises: whatever the config makes the process write is in it: its log, the console output, the files of outputs
//! with their rotated ones, journals, dead letters and checkpoints.
//! Never: looks into a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use logweir_outputs::file::{PathTemplate, ROTATED_GLOB};
use logweir_outputs::output::OutputKind;
use logweir_pipeline::source::file::OwnFiles;

use crate::config::Config;

/// Names in `data_dir` and below, next to which users may keep files of their own.
const DATA: &[&str] = &["{checkpoints.redb*,installation_id,lock}", "outputs/*.journal"];
/// Names in the folder of the dead letters.
const DEAD_LETTERS: &str = "{current,replay-*}.ndjson";

/// The files that this process writes.
pub(super) fn own_files(config: &Config, data_dir: &Path) -> anyhow::Result<Arc<OwnFiles>> {
    let mut own = OwnFiles::default();
    own.add_log(io::stderr());
    for names in DATA {
        own.add_names(data_dir, names)?;
    }
    own.add_names(&config.dead_letter.path, DEAD_LETTERS)?;
    for output in &config.outputs {
        match &output.kind {
            OutputKind::Console(_) => own.add_log(io::stdout()),
            OutputKind::File(file) => {
                let template = PathTemplate::new(&file.path, &config.keys)
                    .with_context(|| format!("the path of the output `{}` is no template", output.name))?;
                let (folder, names) = template.glob();
                for names in [&names, &format!("{names}{ROTATED_GLOB}")] {
                    own.add_names(Path::new(folder), names)?;
                }
            }
            OutputKind::Elasticsearch(_) | OutputKind::Webhook(_) => {}
            #[cfg(feature = "email")]
            OutputKind::Email(_) => {}
            #[cfg(feature = "kafka")]
            OutputKind::Kafka(_) => {}
        }
    }
    Ok(Arc::new(own))
}
