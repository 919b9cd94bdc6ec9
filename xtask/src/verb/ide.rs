// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ide`: the project file with which rust-analyzer understands `modules/`.
//!
//! The kernel's own generator writes it inside the tools tree; the paths in it are then turned into the host's.

use std::process::ExitCode;

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
    let _lock = Lock::take(&ctx.target)?;
    let sources = Sources::read(ctx)?;
    let tools = tools::build(ctx, &sources)?;
    let source = source::build(ctx, &sources, &tools)?;
    let request =
        kernel::Request { arch: board_profile::Arch::X86_64, flavor: Flavor::Release, fragments: vec![] };
    let kernel = kernel::build(ctx, &sources, &tools, &source, &request)?;
    let built = modules::build(ctx, &tools, &kernel)?;
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
    files::write(&ctx.root.join("rust-project.json"), on_host(&text, &host))?;
    eprintln!("wrote rust-project.json; point rust-analyzer's linkedProjects at it");
    Ok(ExitCode::SUCCESS)
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
    use super::on_host;

    #[test]
    fn only_whole_path_prefixes_are_turned() {
        let places = [("/modules", "/h/modules".to_owned()), ("/modules-out", "/h/target/m".to_owned())];
        let text = r#"["/modules/scst/a.rs", "/modules-out/b", "/modules", "/x/modules/c"]"#;
        let turned = r#"["/h/modules/scst/a.rs", "/h/target/m/b", "/h/modules", "/x/modules/c"]"#;
        assert_eq!(on_host(text, &places), turned);
    }
}
