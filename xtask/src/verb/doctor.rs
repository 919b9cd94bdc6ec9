// SPDX-License-Identifier: MIT OR Apache-2.0
//! `doctor`: is everything here that a build needs, in which version, from where, and what is wrong.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use serde::Serialize;

use crate::cli::Doctor;
use crate::ctx::{Ctx, Records};
use crate::debian;
use crate::enter::{Sandbox, TreeCommand};
use crate::host::{self, Need};
use crate::sources::Sources;
use crate::stage::tools::{self, ToolsTree};

/// What a whole build takes from an empty cache, in GiB, rounded up.
const SPACE_GIB: u64 = 12;

/// One thing that a build needs.
#[derive(Debug, Serialize)]
struct Finding {
    need: String,
    purpose: String,
    /// What was found; none if nothing was.
    found: Option<String>,
    /// Where it was found.
    place: Option<String>,
    /// What is wrong, and what to do about it.
    wrong: Option<String>,
}

impl Finding {
    fn new(need: &str, purpose: &str) -> Self {
        Self { need: need.into(), purpose: purpose.into(), found: None, place: None, wrong: None }
    }

    fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    fn at(mut self, place: &Path) -> Self {
        self.place = Some(place.display().to_string());
        self
    }

    fn wrong(mut self, wrong: impl Into<String>) -> Self {
        self.wrong = Some(wrong.into());
        self
    }
}

/// Prints every finding; fails if something is wrong.
pub(crate) fn run(ctx: &Ctx, args: &Doctor) -> miette::Result<ExitCode> {
    let sources = Sources::read(ctx)?;
    let mut findings = vec![program("cargo", "cargo", "compiles the build system")];
    let needs = host::needs().filter(|need| need.program != Sandbox::Bwrap.name());
    findings.extend(needs.map(|Need { program: name, package, purpose }| program(name, package, purpose)));
    findings.push(sandbox(Sandbox::here()));
    findings.push(mirror(ctx));
    findings.push(space("cache", &ctx.cache));
    findings.push(space("build outputs", &ctx.root));
    let tree = Ctx { dry_run: Some(Records::default()), ..ctx.clone() };
    match tools::build(&tree, &sources) {
        Ok(tree) => findings.extend(in_tree(&tree, &sources)),
        Err(report) => findings.push(
            Finding::new("tools tree", "everything is built in it")
                .found(format!("none yet, the next build makes it ({report})")),
        ),
    }
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&findings).expect("plain data")),
        false => findings.iter().for_each(tell),
    }
    let sick = findings.iter().any(|finding| finding.wrong.is_some());
    Ok(if sick { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(finding: &Finding) {
    let Finding { need, purpose, found, place, wrong } = finding;
    let mark = if wrong.is_some() { "BAD" } else { "ok" };
    let found = found.as_deref().unwrap_or("not found");
    let place = place.as_ref().map(|place| format!(", {place}")).unwrap_or_default();
    println!("{mark:>4}  {need}: {found}{place}  ({purpose})");
    if let Some(wrong) = wrong {
        println!("      {wrong}");
    }
}

fn program(name: &str, package: &str, purpose: &str) -> Finding {
    let finding = Finding::new(name, purpose);
    match host::find(name) {
        None => finding.wrong(format!("install it: sudo apt-get install --yes {package}")),
        Some(place) => {
            let version = host::version(&place).unwrap_or_else(|| "version unknown".to_owned());
            finding.found(version).at(&place)
        }
    }
}

/// Really enters a sandbox, with the host's own root as the tree: that its program is there does not say that the
/// kernel lets it work.
fn sandbox(sandbox: Sandbox) -> Finding {
    let finding = Finding::new("sandbox", "the tools tree is entered without touching the host");
    let name = sandbox.name();
    let Some(place) = host::find(name) else {
        return finding.wrong("install it: sudo apt-get install --yes bubblewrap");
    };
    let version = host::version(&place).unwrap_or_else(|| name.to_owned());
    let finding = finding.at(&place);
    match TreeCommand::new(Path::new("/"), "true").to_command().stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => finding.found(match sandbox {
            Sandbox::Bwrap => format!("{version} works"),
            Sandbox::Unshare => format!("{version} works; bubblewrap, if it is installed, is used instead"),
        }),
        Ok(output) => finding.wrong(format!(
            "{name}: {}; allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 \
             kernel.apparmor_restrict_unprivileged_userns=0",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(e) => finding.wrong(format!("{name} cannot be started: {e}")),
    }
}

fn mirror(ctx: &Ctx) -> Finding {
    let finding = Finding::new("package mirror", "the tools tree is fetched from it");
    match (debian::mirror(ctx), ctx.offline) {
        (Ok(mirror), _) => finding.found(mirror),
        (Err(_), true) => finding.found("none, and --offline needs none"),
        (Err(report), false) => finding.wrong(format!("{report}; name one with --mirror URL")),
    }
}

fn space(what: &str, path: &Path) -> Finding {
    let finding =
        Finding::new(&format!("space for {what}"), &format!("a whole build takes {SPACE_GIB} GiB")).at(path);
    match rustix::fs::statvfs(path) {
        Ok(fs) => {
            let gib = (fs.f_bavail * fs.f_frsize) >> 30;
            let finding = finding.found(format!("{gib} GiB free"));
            match gib >= SPACE_GIB {
                true => finding,
                false => finding.wrong("make room, or lead SCST_APPLIANCE_CACHE to a larger disk"),
            }
        }
        Err(e) => finding.wrong(e.to_string()),
    }
}

/// What the kernel's build is particular about, and whether the tree is what the lock says.
fn in_tree(tree: &ToolsTree, sources: &Sources) -> Vec<Finding> {
    let llvm = sources.kernel.llvm;
    let kernel = sources.kernel.package();
    let names =
        ["rustc".to_owned(), "bindgen".into(), format!("clang-{llvm}"), kernel, "qemu-system-x86".into()];
    let finding = |name: &String| {
        let finding = Finding::new(name, "in the tools tree").at(tree.root());
        match tree.packages().version(name) {
            Some(version) => finding.found(version),
            None => finding.wrong("kernel-config/sources.toml does not name it"),
        }
    };
    let mut findings: Vec<_> = names.iter().map(finding).collect();
    let lock = Finding::new("kernel-config/tools.lock", "every build uses the same versions");
    findings.push(match tree.differences() {
        [] => lock.found(format!("{} packages, all as locked", tree.packages().iter().count())),
        differences => lock.found(format!("{} packages differ", differences.len())).wrong(format!(
            "the mirror has other versions, such as {}; `cargo xtask lock` renews the lock",
            differences[0]
        )),
    });
    findings
}
