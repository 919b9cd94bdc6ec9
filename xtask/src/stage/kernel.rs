// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel: one per architecture and flavour, shared by every board that adds no fragment of its own.
//!
//! `allnoconfig`, the fragments, `olddefconfig`, and then every requested line is looked for in the result.

use std::path::{Path, PathBuf};

use board_profile::Arch;

use super::incremental;
use super::source::{self, Source};
use super::tools::ToolsTree;
use crate::board::{Board, Own};
use crate::cli::Flavor;
use crate::ctx::Ctx;
use crate::enter::TreeCommand;
use crate::files;
use crate::kconfig::{self, Fragment};
use crate::sources::Sources;
use crate::stamp::{Inputs, Stamp, StampFile};
use crate::step::{self, Step};

/// What compiles a kernel beside LLVM: a version that changes here is another kernel.
const COMPILERS: [&str; 13] = [
    "rustc",
    "rust-src",
    "bindgen",
    "make",
    "flex",
    "bison",
    "bc",
    "libelf-dev",
    "libssl-dev",
    "kmod",
    "perl",
    "zstd",
    "libc6-dev",
];

/// The folder of proved configurations, and the name of the stage that proves one.
const CONFIG: &str = "config";

/// A built kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    dir: PathBuf,
    source: PathBuf,
    source_version: String,
    release: String,
    flavor: Flavor,
    stamp: Stamp,
    maker: Maker,
}

impl Kernel {
    /// The kernel that firmware or QEMU starts.
    pub(crate) fn bzimage(&self) -> PathBuf {
        self.dir.join("out/bzImage")
    }

    /// `lib/modules/<release>` of this kernel: its drivers and their dependency list.
    pub(crate) fn modules_dir(&self) -> PathBuf {
        self.dir.join("out/lib/modules").join(&self.release)
    }

    /// What `uname -r` says.
    pub(crate) fn release(&self) -> &str {
        &self.release
    }

    /// The build directory (`O=`), which modules are compiled against.
    pub(crate) fn build_dir(&self) -> PathBuf {
        incremental::build_dir(&self.dir)
    }

    /// The kernel's sources.
    pub(crate) fn source_dir(&self) -> &Path {
        &self.source
    }

    /// The version of the package that the sources come from.
    pub(crate) fn source_version(&self) -> &str {
        &self.source_version
    }

    /// Which of the two builds this is.
    pub(crate) fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The name of this kernel's folders: architecture, flavour, and a word for a board's own fragments.
    pub(crate) fn name(&self) -> String {
        self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The record of the build.
    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// One of LLVM's programs, such as `strip`, in the version that compiled the kernel.
    pub(crate) fn llvm(&self, program: &str) -> String {
        format!("llvm-{program}-{}", self.maker.llvm)
    }

    /// `make` with everything set as it was for the kernel itself, for what is compiled against it.
    pub(crate) fn make(&self, tools: &ToolsTree) -> TreeCommand {
        self.maker.make(tools)
    }
}

/// What every call of the kernel's Makefile has in common.
#[derive(Debug, Clone)]
struct Maker {
    source: PathBuf,
    build: PathBuf,
    ccache: PathBuf,
    jobs: usize,
    epoch: u64,
    /// The same as a date, which `uname -v` shows.
    timestamp: String,
    llvm: u32,
}

impl Maker {
    /// A program of the tools tree with sources, build directory and compiler cache in their fixed places.
    fn program(&self, tools: &ToolsTree, program: &str) -> TreeCommand {
        tools
            .command(program)
            .bind_ro(&self.source, source::INSIDE)
            .bind_rw(&self.build, "/build")
            .bind_rw(&self.ccache, "/ccache")
            .workdir("/build")
            // ccache stands in for the compilers by their names: CC="ccache clang" would reach Rust's host tools too.
            .env("PATH", "/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("CCACHE_DIR", "/ccache")
            .env("CCACHE_BASEDIR", "/build")
            .env("KBUILD_BUILD_USER", "scst")
            .env("KBUILD_BUILD_HOST", "appliance")
            .env("KBUILD_BUILD_TIMESTAMP", &self.timestamp)
            .env("KBUILD_BUILD_VERSION", "1")
            .env("SOURCE_DATE_EPOCH", self.epoch.to_string())
    }

    fn make(&self, tools: &ToolsTree) -> TreeCommand {
        self.program(tools, "make")
            .args(["-C", source::INSIDE, "O=/build"])
            .arg(format!("LLVM=-{}", self.llvm))
            .arg(format!("-j{}", self.jobs))
    }
}

/// Which kernel a board asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The processor architecture.
    pub(crate) arch: Arch,
    /// Which of the two builds.
    pub(crate) flavor: Flavor,
    /// Fragments of the board's own.
    pub(crate) fragments: Vec<Own>,
}

impl Request {
    /// What `board` asks for.
    pub(crate) fn of(board: &Board, flavor: Flavor) -> Self {
        let fragments = board.kernel().fragments.iter().map(|path| board.own(path.as_str())).collect();
        Self { arch: board.arch(), flavor, fragments }
    }
}

/// The fragments that make up a kernel, in merge order.
pub(crate) fn fragments(ctx: &Ctx, request: &Request) -> miette::Result<Vec<Fragment>> {
    let arch = request.arch.as_str();
    let mut names =
        vec!["base".to_owned(), "storage".into(), "rust".into(), arch.into(), format!("drivers-{arch}")];
    if request.flavor == Flavor::Debug {
        names.push("debug".into());
    }
    let shared = names.iter().map(|name| format!("kernel-config/fragments/{name}.config"));
    let shared = shared.map(|name| Fragment::read(&name, &ctx.root.join(&name)));
    shared.chain(request.fragments.iter().map(|own| Fragment::read(&own.name, &own.path))).collect()
}

/// Configures and compiles the kernel that `request` asks for.
pub(crate) fn build(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    source: &Source,
    request: &Request,
) -> miette::Result<Kernel> {
    let flavor = request.flavor;
    let fragments = fragments(ctx, request)?;
    let dir = ctx.target.join("kernel").join(folder(request, &fragments));
    let maker = maker(ctx, sources, tools, source, &incremental::build_dir(&dir))?;
    // Modules are compiled with the cache too, also where the kernel itself is up to date.
    files::make_dir(&maker.ccache)?;
    let mut inputs = inputs(sources, tools, source, &fragments);
    inputs.value("source_date_epoch", sources.source_date_epoch.to_string());
    let stamp = StampFile::new(dir.join("stamp.json"), &dir);
    let stamp = step::stage(ctx, "kernel", &stamp, &inputs, |step| {
        incremental::make(&dir, source.version(), |_| {
            configure(step, tools, &maker, &fragments)?;
            step.run(&maker.make(tools).args(["bzImage", "modules"]))?;
            collect(step, tools, &maker, &dir)
        })
    })?;
    let release = files::read(&dir.join("out/release"))?.trim().to_owned();
    let source_version = source.version().to_owned();
    Ok(Kernel { source: maker.source.clone(), dir, source_version, release, flavor, stamp, maker })
}

/// What a configuration is made of; compilers count too, because what they can do decides about options.
fn inputs(sources: &Sources, tools: &ToolsTree, source: &Source, fragments: &[Fragment]) -> Inputs {
    let mut inputs = Inputs::new();
    for fragment in fragments {
        inputs.text(fragment.name(), fragment.text());
    }
    inputs.value("kernel sources", source.version());
    tools.versions(&mut inputs, &COMPILERS);
    let llvm = sources.kernel.llvm_packages();
    tools.versions(&mut inputs, &llvm.each_ref().map(String::as_str));
    inputs
}

/// Makes the configuration that `request` asks for, proves it, and compiles nothing. A kernel that is built makes its
/// own: this is for those who want to know without waiting for one.
pub(crate) fn prove_config(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    source: &Source,
    request: &Request,
) -> miette::Result<()> {
    let fragments = fragments(ctx, request)?;
    let dir = ctx.target.join(CONFIG).join(folder(request, &fragments));
    let build = incremental::build_dir(&dir);
    let stamp = StampFile::new(dir.join("stamp.json"), &dir);
    let inputs = inputs(sources, tools, source, &fragments);
    step::stage(ctx, CONFIG, &stamp, &inputs, |step| {
        files::fresh_dir(&build)?;
        files::make_dir(&ctx.ccache())?;
        configure(step, tools, &maker(ctx, sources, tools, source, &build)?, &fragments)?;
        files::copy(&build.join(".config"), &dir.join("config"))?;
        files::remove(&build)?;
        Ok(vec!["config".into()])
    })
    .map(drop)
}

/// A configured kernel that nothing was compiled of: what `menuconfig` works on.
#[derive(Debug)]
pub(crate) struct Editor {
    maker: Maker,
}

impl Editor {
    /// Writes the configuration that `request` asks for into a folder of its own.
    pub(crate) fn open(
        ctx: &Ctx,
        sources: &Sources,
        tools: &ToolsTree,
        source: &Source,
        request: &Request,
        step: &Step,
    ) -> miette::Result<Self> {
        let build = ctx.target.join("kernel").join("menuconfig.partial");
        files::fresh_dir(&build)?;
        files::make_dir(&ctx.ccache())?;
        let maker = maker(ctx, sources, tools, source, &build)?;
        configure(step, tools, &maker, &fragments(ctx, request)?)?;
        Ok(Self { maker })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.maker.build.join(".config")
    }

    /// `make` on it.
    pub(crate) fn make(&self, tools: &ToolsTree) -> TreeCommand {
        self.maker.make(tools)
    }
}

fn maker(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    source: &Source,
    build: &Path,
) -> miette::Result<Maker> {
    let epoch = format!("--date=@{}", sources.source_date_epoch);
    let date = step::host_output(&mut tools.command("date").args(["--utc", &epoch]).to_command())?;
    Ok(Maker {
        source: source.dir().to_owned(),
        build: build.to_owned(),
        ccache: ctx.ccache(),
        jobs: ctx.jobs,
        epoch: sources.source_date_epoch,
        timestamp: date.trim().to_owned(),
        llvm: sources.kernel.llvm,
    })
}

/// Boards that add nothing share one folder; a board with fragments has one named after their content.
fn folder(request: &Request, fragments: &[Fragment]) -> String {
    let shared = format!("{}-{}", request.arch, request.flavor.name());
    let shared_count = fragments.len() - request.fragments.len();
    let own: String = fragments.iter().skip(shared_count).map(Fragment::text).collect();
    match own.is_empty() {
        true => shared,
        false => format!("{shared}-{}", &files::digest(own)[..8]),
    }
}

/// Writes `.config` and proves that every requested line is in it.
fn configure(step: &Step, tools: &ToolsTree, maker: &Maker, fragments: &[Fragment]) -> miette::Result<()> {
    // The merge wants plain files in one folder; their order is that of the names.
    let merge = maker.build.join("fragments");
    files::fresh_dir(&merge)?;
    let mut inside = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        let name = format!("{index:02}.config");
        files::write(&merge.join(&name), fragment.text())?;
        inside.push(format!("/build/fragments/{name}"));
    }
    step.run(&maker.make(tools).args(["-s", "allnoconfig"]))?;
    let script = format!("{}/scripts/kconfig/merge_config.sh", source::INSIDE);
    step.run(&maker.program(tools, &script).args(["-m", "-O", "/build", "/build/.config"]).args(inside))?;
    step.run(&maker.make(tools).args(["-s", "olddefconfig"]))?;
    let config = files::read(&maker.build.join(".config"))?;
    let missing = kconfig::missing(fragments, &config);
    match missing.is_empty() {
        true => Ok(()),
        false => Err(kconfig::explain(&missing, &config, &maker.source)),
    }
}

/// Copies what later stages read out of the build directory, aside and then into place.
fn collect(step: &Step, tools: &ToolsTree, maker: &Maker, dir: &Path) -> miette::Result<Vec<PathBuf>> {
    let out = dir.join("out");
    let aside = files::partial(&out);
    files::fresh_dir(&aside)?;
    let install =
        maker.make(tools).bind_rw(&aside, "/out").args(["INSTALL_MOD_PATH=/out", "INSTALL_MOD_STRIP=1"]);
    step.run(&install.arg("modules_install"))?;
    let release = step.read(&maker.make(tools).args(["-s", "kernelrelease"]))?;
    files::write(&aside.join("release"), release.trim())?;
    files::copy(&maker.build.join("arch/x86/boot/bzImage"), &aside.join("bzImage"))?;
    files::copy(&maker.build.join(".config"), &aside.join("config"))?;
    files::copy(&maker.build.join("System.map"), &aside.join("System.map"))?;
    // A link to where the build happened; it leads nowhere else and would be in the image.
    files::remove(&aside.join("lib/modules").join(release.trim()).join("build"))?;
    files::replace(&aside, &out)?;
    let collected = files::walk(&out)?.into_iter().map(|path| Path::new("out").join(path));
    // What modules are compiled against stays where it is, and counts as an output too.
    Ok(collected.chain(["build/Module.symvers", "build/rust/libkernel.rmeta"].map(PathBuf::from)).collect())
}
