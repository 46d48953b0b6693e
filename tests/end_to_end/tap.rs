//! `logweir tap`, a look at live events of a running daemon: at each point, to whom it is allowed, at no cost to others.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use logweir_benchmarks::store::{Faults, Store};
use serde_json::Value;

use crate::scenarios::wait_until_settled;
use crate::support::daemon::{binary, logweir};
use crate::support::ledger::Ledger;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;
use crate::support::{eventually, http};

const CONFIG: &str = r#"
[sources.app]
type = "file"
paths = ["{here}/logs/app.log"]
parse = "json"
fields = { "service.name" = "shop" }

[transforms.clean]
inputs = ["app"]
steps = [{ drop = { "route" = "/healthz" } }, { rename = { "user.name" = "user.id" } }]

[routes.split]
inputs = ["clean"]
errors = { "log.level" = "error" }

[outputs.file]
type = "file"
inputs = ["split.errors", "split.rest"]
path = "{here}/out.ndjson"
"#;

/// A running `logweir tap`, ended when dropped.
struct Tap {
    child: Child,
    out: PathBuf,
    told: PathBuf,
}

impl Tap {
    /// Starts one and waits until it looks.
    #[track_caller]
    fn start(scene: &Scene, name: &str, arguments: &[&str]) -> Self {
        let tap = Self::spawn(scene, name, arguments);
        eventually(format!("the tap {name} looks"), || tap.told().contains("events at").then_some(()));
        tap
    }

    fn spawn(scene: &Scene, name: &str, arguments: &[&str]) -> Self {
        let (out, told) = (scene.path(format!("{name}.out")), scene.path(format!("{name}.err")));
        let child = Command::new(binary())
            .arg("tap")
            .arg(scene.path("logweir.toml"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&told).unwrap())
            .spawn()
            .unwrap();
        Self { child, out, told }
    }

    fn told(&self) -> String {
        fs::read_to_string(&self.told).unwrap()
    }

    /// The whole lines so far.
    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.out).unwrap();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for so many events and gives what was told of them.
    #[track_caller]
    fn wait_for(&self, events: usize) -> Vec<Value> {
        eventually(format!("{events} events; {}", self.told()), || {
            Some(self.lines()).filter(|lines| lines.len() >= events)
        })
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn append(scene: &Scene, lines: &str) {
    let file = OpenOptions::new().create(true).append(true).open(scene.log_path("app.log"));
    file.unwrap().write_all(lines.as_bytes()).unwrap();
}

#[test]
fn each_point_shows_what_passes_there() {
    let scene = Scene::new();
    scene.write_config(CONFIG);
    let mut daemon = scene.run().wait_until_ready();
    let everywhere = Tap::start(&scene, "everywhere", &["*"]);
    let ports = Tap::start(&scene, "ports", &["split.*", "--fields", "log.level,message"]);
    let mut chosen = Tap::start(
        &scene,
        "chosen",
        &["clean", "--where", r#""user.id|startswith" = ["a", "z"]"#, "--limit", "1"],
    );
    append(
        &scene,
        "{\"message\":\"one\",\"route\":\"/healthz\"}\n\
         {\"message\":\"two\",\"user.name\":\"bob\",\"log.level\":\"info\"}\n\
         {\"message\":\"three\",\"user.name\":\"alice\",\"log.level\":\"error\"}\n",
    );
    let seen = everywhere.wait_for(9);
    let at = |point: &str| {
        let here = seen.iter().filter(|line| line["point"] == point);
        here.map(|line| line["event"]["message"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(at("app"), ["one", "two", "three"]);
    assert_eq!(at("clean"), ["two", "three"]);
    assert_eq!((at("split.errors"), at("split.rest")), (vec!["three"], vec!["two"]));
    assert_eq!(at("file"), ["three", "two"], "an output takes what each of its inputs gives");
    let events = |point: &str| seen.iter().find(|line| line["point"] == point).unwrap()["event"].clone();
    assert_eq!(events("app")["service.name"], "shop", "constant fields are shown");
    assert_eq!(events("clean")["user.id"], "bob");
    assert!(seen.iter().all(|line| line["point"] != "app" || line["event"]["user.id"].is_null()));

    ports.wait_for(2);
    let text = fs::read_to_string(&ports.out).unwrap();
    assert!(
        text.contains(r#"{"point":"split.errors","event":{"log.level":"error","message":"three"}}"#),
        "{text}"
    );

    assert!(chosen.child.wait().unwrap().success(), "a tap ends at its limit");
    let chosen = chosen.lines();
    assert_eq!((chosen.len(), &chosen[0]["event"]["message"]), (1, &Value::from("three")));

    assert!(daemon.terminate().success(), "{daemon}");
    let mut everywhere = everywhere;
    assert!(everywhere.child.wait().unwrap().success());
    assert!(everywhere.told().contains("the daemon has ended"), "{}", everywhere.told());
}

#[test]
fn what_is_asked_wrongly_is_told_with_what_there_is() {
    let scene = Scene::new();
    let config = scene.write_config(CONFIG);
    let address = scene.admin().to_string();
    let _daemon = scene.run().wait_until_ready();
    let tap = |arguments: &[&str]| {
        let output = logweir(["tap"].iter().chain(arguments));
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = tap(&[config.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    for point in ["app", "clean", "split.errors", "split.rest", "file"] {
        assert!(said.lines().any(|line| line.starts_with(point)), "{point} is not in: {said}");
    }
    let foreign = r#""a" = "${PATH}""#;
    for (arguments, expected) in [
        (&["claen"][..], &["no point is called `claen`", "did you mean `clean`?", "split.rest (port)"][..]),
        (&["cl[ean"], &["`cl[ean` is no pattern"]),
        (&["*", "--where", r#""a|beginswith" = 1"#], &["a|beginswith", "the modifiers are"]),
        (&["*", "--where", "a = ["], &["is not valid TOML"]),
        (&["*", "--where", "{}"], &["this table is empty"]),
        (&["*", "--where", foreign], &["PATH"]),
        (&["*", "--rate", "0"], &["the rate is a whole number", "from 1 to 10000"]),
    ] {
        let (code, said) = tap(&[&[address.as_str()], arguments].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        for part in expected {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
        assert!(!said.contains("/bin"), "a variable of the daemon's environment is shown: {said}");
    }
    let (code, said) = tap(&["127.0.0.1:1", "*"]);
    assert!(code == Some(1) && said.contains("is the daemon running"), "{said}");
}

#[test]
fn a_flood_is_delivered_whoever_listens() {
    const LINES: u64 = 200_000;
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()));
    let daemon = scene.run().wait_until_ready();
    let tap = Tap::start(&scene, "slow", &["app", "--rate", "10"]);
    // This one asks and never reads.
    let mut deaf = connect(scene.admin(), "/api/tap?points=store&rate=10000");
    deaf.read_exact(&mut [0]).unwrap();
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    wait_until_settled(&daemon, &store, LINES);
    assert!(Ledger::read(scene.admin()).unwrap().adds_up());

    let skipped = |told: &str| {
        let counts = told.lines().filter_map(|line| {
            line.strip_suffix(" events skipped; `--rate` and `--where` say which are wanted")
        });
        counts.map(|count| count.parse::<u64>().unwrap()).sum::<u64>()
    };
    eventually(format!("every event is shown or counted; {}", tap.told()), || {
        (tap.lines().len() as u64 + skipped(&tap.told()) == LINES).then_some(())
    });
    assert!(tap.lines().len() < 1000, "10 events a second");
}

#[test]
fn taps_are_few_and_a_closed_one_makes_room() {
    let scene = Scene::new();
    scene.write_config(CONFIG);
    let daemon = scene.run().wait_until_ready();
    let mut taps = (0..8).map(|number| Tap::start(&scene, &number.to_string(), &["app"])).collect::<Vec<_>>();
    let refused = http::get(daemon.admin(), "/api/tap").unwrap();
    assert!(refused.status == 503 && refused.body.contains("8 taps"), "{refused:?}");
    // Nothing is sent to it, so nothing but the closed connection says that it is gone.
    taps.pop();
    eventually("there is room", || {
        let mut another = connect(daemon.admin(), "/api/tap");
        let mut answer = [0; 12];
        another.read_exact(&mut answer).unwrap();
        (answer == *b"HTTP/1.0 200").then_some(())
    });
}

#[test]
fn what_a_log_holds_does_not_reach_the_terminal_as_it_is() {
    let scene = Scene::new();
    scene.write_config(CONFIG);
    let _daemon = scene.run().wait_until_ready();
    let tap = Tap::start(&scene, "hostile", &["app"]);
    append(&scene, "{\"message\":\"\u{9b}2J\u{7f}\u{202e}gnp.exe\\u001b]0;x\\u0007\"}\nno JSON \u{1b}[2J\n");
    tap.wait_for(2);
    let text = fs::read_to_string(&tap.out).unwrap();
    let acts = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
    assert!(!text.contains(acts), "{}", text.escape_debug());
    let messages = tap.lines().iter().map(|line| line["event"]["message"].clone()).collect::<Vec<_>>();
    assert_eq!(messages, ["\u{9b}2J\u{7f}\u{202e}gnp.exe\u{1b}]0;x\u{7}", "no JSON \u{1b}[2J"]);
}

#[test]
fn other_users_of_the_host_see_no_events_unless_they_may() {
    assert!(rustix::process::geteuid().is_root(), "this test becomes another user and must run as root");
    let ask = |scene: &Scene, user: u32, path: &str| {
        let output = Command::new("setpriv")
            .args([format!("--reuid={user}"), format!("--regid={user}")])
            .args(["--clear-groups", "curl", "--silent", "--max-time", "2"])
            .arg(format!("http://{}{path}", scene.admin()))
            .output();
        let output = output.unwrap_or_else(|error| panic!("this test needs setpriv and curl: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for (tap, nobody_sees, root_sees) in
        [("owner", false, true), ("anyone", true, true), ("off", false, false)]
    {
        let scene = Scene::new();
        scene.write_config(CONFIG);
        let config = fs::read_to_string(scene.path("logweir.toml")).unwrap();
        scene.write("logweir.toml", config + &format!("tap = \"{tap}\"\n"));
        let _daemon = scene.run().wait_until_ready();
        for (user, sees) in [(65_534, nobody_sees), (0, root_sees)] {
            for path in ["/api/tap", "/api/points"] {
                let said = ask(&scene, user, path);
                assert_eq!(said.contains("split.rest"), sees, "{tap}, user {user}: {said}");
                assert!(sees || said.contains("[admin] tap"), "{said}");
            }
            assert!(ask(&scene, user, "/health").contains("ok"));
        }
    }
}

fn connect(admin: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(admin).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {admin}\r\n\r\n").unwrap();
    stream
}
