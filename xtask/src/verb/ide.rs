// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ide`: the project file with which rust-analyzer understands `modules/`.
//!
//! The kernel's own generator writes it inside the tools tree; the paths in it are then turned into the host's.

use std::path::Path;
use std::process::ExitCode;

use miette::IntoDiagnostic as _;
use serde_json::{json, Value};

use crate::cli::Flavor;
use crate::ctx::Ctx;
use crate::files;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::stage::{kernel, modules, source, tools};
use crate::stamp::Reason;
use crate::step::Step;

/// Writes `rust-project.json` into the repository's root.
pub(crate) fn run(ctx: &Ctx) -> miette::Result<ExitCode> {
    let _lock = Lock::of_outputs(ctx)?;
    let sources = Sources::read(ctx)?;
    let tools = tools::build(ctx, &sources)?;
    let source = source::build(ctx, &sources, &tools)?;
    let request =
        kernel::Request { arch: board_profile::Arch::X86_64, flavor: Flavor::Release, fragments: vec![] };
    let kernel = kernel::build(ctx, &sources, &tools, &source, &request)?;
    let built = modules::build(ctx, &tools, &kernel, modules::Writers::Wait)?;
    let build = built.dir().with_file_name("build");
    let step = Step::start(ctx, "ide", &Reason::NeverFinished)?;
    let folder = ctx.root.join("modules");
    step.run(&modules::make(&tools, &kernel, &folder, &build).arg("rust-analyzer"))?;
    let text = files::read(&build.join("rust-project.json"))?;
    let library = tools.root().join("usr/src");
    let host = [
        ("/modules-out", build.display().to_string()),
        ("/modules", folder.display().to_string()),
        ("/src/linux", kernel.source_dir().display().to_string()),
        ("/build", kernel.build_dir().display().to_string()),
        ("/usr/src", library.display().to_string()),
        ("/usr/lib/rustlib", tools.root().join("usr/lib/rustlib").display().to_string()),
    ];
    let mut project: Value = serde_json::from_str(&on_host(&text, &host)).into_diagnostic()?;
    project["sysroot"] = tools.root().join("usr").display().to_string().into();
    add_modules(&mut project, &folder, &build)?;
    let text = serde_json::to_string_pretty(&project).into_diagnostic()?;
    files::write(&ctx.root.join("rust-project.json"), text + "\n")?;
    eprintln!("wrote rust-project.json; point rust-analyzer's linkedProjects at it");
    Ok(ExitCode::SUCCESS)
}

/// Adds the crates of `modules/`, which the kernel's generator does not find below their folders. Each is known as
/// `name/name_main.rs`, sees what the kernel's samples see, and the dependents see `scst`.
fn add_modules(project: &mut Value, folder: &Path, build: &Path) -> miette::Result<()> {
    let crates =
        project["crates"].as_array_mut().ok_or_else(|| miette::miette!("the project lists no crates"))?;
    let index = |crates: &[Value], name: &str| crates.iter().position(|known| known["display_name"] == name);
    let names = ["core", "ffi", "pin_init", "macros", "zerocopy", "bindings", "uapi", "kernel"];
    let seen = |crates: &[Value], more: &[&str]| -> Vec<Value> {
        let wanted = names.iter().chain(more);
        wanted.filter_map(|name| Some(json!({ "crate": index(crates, name)?, "name": name }))).collect()
    };
    let cfg = index(crates, "kernel").map(|kernel| crates[kernel]["cfg"].clone()).unwrap_or_default();
    for (name, more) in [("scst", &[][..]), ("scst_vdisk", &["scst"]), ("scst_local", &["scst"])] {
        let root = folder.join(name).join(format!("{name}_main.rs"));
        let module = json!({
            "display_name": name,
            "root_module": root,
            "edition": "2021",
            "is_workspace_member": true,
            "is_proc_macro": false,
            "deps": seen(crates, more),
            "cfg": cfg,
            // The module's own sources, those that Kbuild makes, and what both crates share.
            "source": { "include_dirs": [folder, build], "exclude_dirs": [] },
            "env": {
                "RUST_MODFILE": build.join(name),
                "SCST_KAPI_BINDINGS": build.join("scst/kapi/bindings_generated.rs"),
            },
        });
        crates.push(module);
    }
    Ok(())
}

/// Turns every quoted path of the tree that `places` knows into the host's.
fn on_host(text: &str, places: &[(&str, String)]) -> String {
    places.iter().fold(text.to_owned(), |text, (inside, host)| {
        text.replace(&format!("\"{inside}/"), &format!("\"{host}/"))
            .replace(&format!("\"{inside}\""), &format!("\"{host}\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependents_see_the_core_and_the_kernel() {
        let mut project = json!({ "crates": [
            { "display_name": "core" }, { "display_name": "kernel", "cfg": ["CONFIG_RUST"] },
        ] });
        add_modules(&mut project, Path::new("/h/modules"), Path::new("/h/out")).unwrap();
        let local = &project["crates"][4];
        assert_eq!(local["root_module"], "/h/modules/scst_local/scst_local_main.rs");
        assert_eq!(local["cfg"], json!(["CONFIG_RUST"]));
        let seen = json!([
            { "crate": 0, "name": "core" }, { "crate": 1, "name": "kernel" }, { "crate": 2, "name": "scst" },
        ]);
        assert_eq!(local["deps"], seen);
    }

    #[test]
    fn only_whole_path_prefixes_are_turned() {
        let places = [("/modules", "/h/modules".to_owned()), ("/modules-out", "/h/target/m".to_owned())];
        let text = r#"["/modules/scst/a.rs", "/modules-out/b", "/modules", "/x/modules/c"]"#;
        let turned = r#"["/h/modules/scst/a.rs", "/h/target/m/b", "/h/modules", "/x/modules/c"]"#;
        assert_eq!(on_host(text, &places), turned);
    }
}
