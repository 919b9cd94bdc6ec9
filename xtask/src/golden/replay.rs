// SPDX-License-Identifier: MIT OR Apache-2.0
//! Doing in a guest what transcripts say, and bringing the answers back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use miette::{miette, Context as _, IntoDiagnostic as _};
use regex::Regex;
use serde::Deserialize;
use serde_json::{json, Value};

use super::boots::Boot;
use super::cdb::{Dump, Transfer};
use super::compare::Answer;
use super::transcript::{Action, Transcript};
use crate::ctx::Ctx;
use crate::files;
use crate::guest::agent::{End, Stream};
use crate::guest::boot::{self, Control, Guest, Pace, Parts, Through, Wishes};
use crate::guest::packages;
use crate::scenario::play::Stage;
use crate::scenario::verdict::{unexpected_end, with_crash, Verdict};
use crate::vm::machine::OnReset;
use crate::vm::{disks, faults};

/// Runs in the guest.
const REPLAY: &str = include_str!("../../../ci/golden/replay.py");
/// Debian packages with the programs that the transcripts were taken with.
const PACKAGES: [&str; 9] =
    ["bash", "coreutils", "e2fsprogs", "findutils", "kmod", "lsscsi", "mount", "python3", "util-linux"];
/// The recorder's disk had blocks of a page.
const DISKS: [&str; 2] = ["-global", "virtio-blk-pci.physical_block_size=4096"];
/// Seconds until the agent speaks.
const BOOT_S: f64 = 60.0;
/// Seconds without a sign of life.
const SILENCE_S: f64 = 60.0;

/// A line of the guest's output.
#[derive(Deserialize)]
struct Line {
    number: usize,
    lines: Vec<String>,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    total: usize,
}

/// The answers to every step of every transcript, in their order.
pub(super) type Answers = Vec<Vec<Answer>>;

/// Boots a guest and replays `transcripts` in it; logs and steps stay in `dir`.
pub(super) fn replay(
    ctx: &Ctx,
    stage: &Stage<'_>,
    boot: &Boot,
    transcripts: &[Transcript],
    dir: &Path,
) -> Result<Answers, Verdict> {
    files::fresh_dir(dir)?;
    let steps = steps(transcripts);
    write_steps(&dir.join("files"), &steps)?;
    let pace = Pace::new(stage.accel, stage.flavor, stage.neighbours);
    let mut guest = start(ctx, stage, dir)?;
    let up = guest.agent.hello(pace.limits(BOOT_S, SILENCE_S));
    up.map_err(|end| with_crash(unexpected_end("the boot", end), &mut guest.vm))?;
    let mut output = Vec::new();
    let mut said = Vec::new();
    let mut keep = |stream: Stream, bytes: &[u8]| match stream {
        Stream::Stdout => output.extend_from_slice(bytes),
        Stream::Stderr => said.extend_from_slice(bytes),
    };
    let script = "exec python3 /golden/replay.py /golden/steps";
    let end = guest.agent.run(script.as_bytes(), pace.limits(boot.deadline_s, SILENCE_S), &mut keep)?;
    files::write(&dir.join("answers"), &output)?;
    // Whatever failed, a kernel that said why it is unwell explains more.
    if let Some((_, line)) = faults::first(&guest.vm.console().text(), &[]) {
        return Err(Verdict::Panic(format!("{line}\n{}", guest.vm.console().tail(40))));
    }
    let answers = answers(transcripts, &output)?;
    if end != End::Exit(0) {
        let said = String::from_utf8_lossy(&said);
        let done: usize = answers.iter().map(Vec::len).sum();
        let at = format!("the replay after {done} of {} answers\n{said}", steps.len());
        return Err(with_crash(unexpected_end(&at, end), &mut guest.vm));
    }
    for disk in images(dir)? {
        files::remove(&disk)?;
    }
    Ok(answers)
}

/// The guest's disks below `dir`, which nobody looks at after a replay that came to its end.
fn images(dir: &Path) -> miette::Result<Vec<PathBuf>> {
    let all = files::walk(dir)?;
    Ok(all.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "img")).collect())
}

fn start(ctx: &Ctx, stage: &Stage<'_>, dir: &Path) -> Result<Guest, Verdict> {
    let vm = stage.board.vm();
    let wishes = Wishes {
        through: Through::Direct,
        control: Control::Agent,
        accel: stage.accel,
        memory: vm.memory,
        cpus: vm.cpus,
        disks: disks::prepare(vm, &stage.built.image.disk(), dir)?,
        packages: Some(packages::disk(ctx, &stage.built.tools, &PACKAGES.map(str::to_owned))?),
        add_files: vec![dir.join("files")],
        cmdline: Vec::new(),
        snapshot: false,
        gdb: false,
        on_reset: OnReset::Exit,
        qemu_args: DISKS.map(str::to_owned).to_vec(),
    };
    let parts = Parts::from(stage.built);
    let machine = boot::machine(&parts, "golden", &wishes, dir)?;
    Ok(Guest::start(&parts.tree, &machine, dir)?)
}

/// Every step as the guest takes it; a transcript's own are numbered, what is done between them is not.
fn steps(transcripts: &[Transcript]) -> Vec<Value> {
    let mut steps = Vec::new();
    let mut number = 0;
    let mut nodes = Nodes::default();
    for transcript in transcripts {
        if transcript.starts_from_nothing() {
            steps.push(json!({ "do": "reset", "number": RESET }));
            nodes = Nodes::default();
        }
        for step in &transcript.steps {
            nodes.learn(&step.answer);
            let mut value = request(&step.action);
            value["number"] = number.into();
            value["nodes"] = json!(nodes.0);
            steps.push(value);
            number += 1;
        }
    }
    steps
}

/// The device nodes that C's kernel made, each with the address of its LUN: `sg0` and `sda` with `0:0:0:0`. Numbers are
/// given out in the order in which LUNs are probed, so the guest finds its own node by the address.
#[derive(Debug, Default)]
struct Nodes(BTreeMap<String, String>);

impl Nodes {
    /// Takes what lsscsi printed.
    fn learn(&mut self, answer: &[String]) {
        static LUN: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^\[(\d+:\d+:\d+:\d+)\] .* /dev/(s[dr]\w+)(?: +/dev/(sg\d+))?").expect("tested")
        });
        for found in answer.iter().filter_map(|line| LUN.captures(line)) {
            for node in found.iter().skip(2).flatten() {
                self.0.insert(node.as_str().to_owned(), found[1].to_owned());
            }
        }
    }
}

/// The number of what belongs to no transcript.
const RESET: usize = usize::MAX >> 12;

fn request(action: &Action) -> Value {
    match action {
        Action::Shell(command) => json!({ "do": "shell", "command": command }),
        Action::Read(path) => json!({ "do": "read", "path": path }),
        Action::Write(path, bytes) => json!({ "do": "write", "path": path, "hex": to_hex(bytes) }),
        Action::List(path) => json!({ "do": "list", "path": path }),
        Action::Contents(path) => json!({ "do": "contents", "path": path }),
        Action::Cdb(cdb) => {
            let mut value = json!({ "do": "cdb", "node": cdb.node, "cdb": cdb.bytes });
            match &cdb.transfer {
                Transfer::None => {}
                Transfer::In(length) => value["in"] = (*length).into(),
                Transfer::Out(bytes) => value["out"] = to_hex(bytes).into(),
            }
            value
        }
        Action::Open(path) => json!({ "do": "open", "path": path }),
        Action::Close(path) => json!({ "do": "close", "path": path }),
        Action::Start(command) => json!({ "do": "start", "command": command }),
        Action::Stop => json!({ "do": "stop" }),
        Action::Timeout(seconds) => json!({ "do": "timeout", "seconds": seconds }),
        Action::Run(command) => json!({ "do": "run", "command": command }),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn write_steps(folder: &Path, steps: &[Value]) -> miette::Result<()> {
    let golden = folder.join("golden");
    std::fs::create_dir_all(&golden)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot make {}", golden.display()))?;
    let lines: String = steps.iter().map(|step| format!("{step}\n")).collect();
    files::write(&golden.join("steps"), lines)?;
    files::write(&golden.join("replay.py"), REPLAY)
}

/// The answers in `output`, as far as it goes.
pub(super) fn answers(transcripts: &[Transcript], output: &[u8]) -> miette::Result<Answers> {
    let text = String::from_utf8_lossy(output);
    let mut given = text.lines().filter_map(|line| match serde_json::from_str::<Line>(line) {
        Ok(line) if line.number == RESET => {
            line.lines.first().map(|why| Err(miette!("between two transcripts: {why}")))
        }
        Ok(line) => Some(Ok(line)),
        Err(error) => Some(Err(miette!("the guest printed `{line}`, which is no answer: {error}"))),
    });
    let mut all = Vec::new();
    for transcript in transcripts {
        let mut answers = Vec::new();
        for line in given.by_ref().take(transcript.steps.len()) {
            answers.push(answer(line?)?);
        }
        all.push(answers);
    }
    Ok(all)
}

fn answer(line: Line) -> miette::Result<Answer> {
    let dump = match &line.data {
        None => None,
        Some(data) => {
            let bytes = from_hex(data).ok_or_else(|| miette!("`{data}` is not hexadecimal"))?;
            Some(Dump { bytes, total: line.total })
        }
    };
    Ok(Answer { lines: line.lines, dump })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::transcript::Step;

    fn transcript(actions: Vec<Action>) -> Transcript {
        let step = |action| Step {
            line: 1,
            text: String::new(),
            action,
            compared: true,
            answer: vec![],
            dump: None,
        };
        Transcript { name: "t".into(), steps: actions.into_iter().map(step).collect() }
    }

    #[test]
    fn answers_go_to_the_steps_that_asked() {
        let all = [
            transcript(vec![Action::Shell("modprobe scst".into()), Action::Read("a".into())]),
            transcript(vec![Action::Read("b".into())]),
        ];
        let asked = steps(&all);
        assert_eq!(asked.len(), 4, "a reset goes before the first");
        let printed = format!(
            "{{\"number\":{RESET},\"lines\":[]}}\n{{\"number\":0,\"lines\":[\"[rc=0]\"]}}\n\
             {{\"number\":1,\"lines\":[\"''\"]}}\n{{\"number\":2,\"lines\":[\"x\"],\"data\":\"7f00\",\"total\":36}}\n"
        );
        let given = answers(&all, printed.as_bytes()).unwrap();
        assert_eq!((given[0].len(), given[1].len()), (2, 1));
        assert_eq!(given[1][0].dump, Some(Dump { bytes: vec![0x7f, 0], total: 36 }));
        assert!(answers(&all, b"Traceback\n").is_err());
        assert!(answers(&all, format!("{{\"number\":{RESET},\"lines\":[\"stuck\"]}}").as_bytes()).is_err());
    }

    #[test]
    fn nodes_are_known_by_their_luns() {
        let mut nodes = Nodes::default();
        let line = "[1:0:0:16383] disk    SCST_FIO f1               3110  /dev/sdg   /dev/sg6 ";
        nodes.learn(&[
            line.into(),
            "[0:0:0:3]    cd/dvd  SCST_FIO c1               3110  /dev/sr0 ".into(),
            "[rc=0]".into(),
        ]);
        let known: Vec<_> = nodes.0.iter().map(|(node, lun)| format!("{node} {lun}")).collect();
        assert_eq!(known, ["sdg 1:0:0:16383", "sg6 1:0:0:16383", "sr0 0:0:0:3"]);
    }

    #[test]
    fn bytes_survive_the_way_to_the_guest() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        assert_eq!(from_hex("zz"), None);
    }
}
