//! Finds a Java that is new enough, and fetches archives with Maven.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};

/// The oldest Java that all servers run on.
const OLDEST_JAVA: u32 = 21;
/// Without it a Java shares its counters through a file in the system's folder for temporary files.
const NO_PERFORMANCE_DATA: &str = "-XX:-UsePerfData";
const DEPENDENCY_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";

/// The variable that every Java reads its options from: a server's scripts run several, and pass not all of theirs on.
pub const OPTIONS: &str = "JDK_JAVA_OPTIONS";

/// Two Maven runs at once would write the same local repository.
static MAVEN: Mutex<()> = Mutex::new(());

/// The home of the newest Java on this machine, or what `LOGWEIR_TEST_JAVA_HOME` names.
///
/// # Errors
/// When there is none that is new enough.
pub fn home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("LOGWEIR_TEST_JAVA_HOME") {
        return Ok(home.into());
    }
    let installed = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten().map(|entry| entry.path());
    let named = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    let newest = installed.chain(named).filter_map(|home| Some((version(&home)?, home))).max();
    match newest {
        Some((version, home)) if version >= OLDEST_JAVA => Ok(home),
        _ => bail!(
            "real servers need Java {OLDEST_JAVA} or newer: install a headless JRE or set LOGWEIR_TEST_JAVA_HOME"
        ),
    }
}

/// The major version that a Java's `release` file tells.
fn version(home: &Path) -> Option<u32> {
    let release = fs::read_to_string(home.join("release")).ok()?;
    let line = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION=\""))?;
    line.split(['.', '"', '-', '+']).next()?.parse().ok()
}

/// The folder for temporary files of the server over `folder`.
#[must_use]
pub fn temporary(folder: &Path) -> PathBuf {
    folder.join("temporary")
}

/// The options of every Java of the server over `folder`: one compiler tier, which starts faster and leaves the cores to
/// the daemon, and no file outside the folder.
#[must_use]
pub fn options(folder: &Path) -> String {
    let temporary = temporary(folder);
    format!("-XX:TieredStopAtLevel=1 {NO_PERFORMANCE_DATA} -Djava.io.tmpdir={}", temporary.display())
}

/// Where archives are kept between runs: `LOGWEIR_SERVICES_CACHE`, else under the target directory.
///
/// # Errors
/// When the folder cannot be made.
pub fn cache(target: &Path) -> Result<PathBuf> {
    let named = std::env::var_os("LOGWEIR_SERVICES_CACHE").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| target.join("services-cache"));
    fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
    Ok(folder)
}

/// The folder `name` of the cache, filled by a Maven goal into `${folder}` at the first use.
///
/// # Errors
/// When there is no Maven, or it could not fetch everything.
pub fn fetch(
    cache: &Path,
    name: &str,
    goal: &str,
    project: Option<&str>,
    settings: &[String],
) -> Result<PathBuf> {
    let _alone = MAVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    // Filled under another name first: a broken download leaves nothing that looks whole.
    let unfinished = cache.join(format!("{name}.unfinished"));
    fs::create_dir_all(&unfinished)?;
    let mut maven = Command::new("mvn");
    maven.env(OPTIONS, NO_PERFORMANCE_DATA);
    maven.args(["-B", "-q"]).arg(format!("{DEPENDENCY_PLUGIN}:{goal}")).args(settings);
    maven.arg(format!("-DoutputDirectory={}", unfinished.display()));
    // Without a project Maven leaves its markers in a folder that is called like this variable.
    maven.arg(format!("-Dproject.basedir={}", cache.display())).current_dir(cache);
    if let Some(project) = project {
        let file = cache.join(format!("{name}.pom.xml"));
        fs::write(&file, project)?;
        maven.arg("-f").arg(file);
    }
    let output = maven.output().context("real servers are fetched with Maven: install mvn")?;
    ensure!(
        output.status.success(),
        "Maven could not fetch {name}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}
