// SPDX-License-Identifier: MIT OR Apache-2.0
//! `appliance export`: what runs, in one of the two forms that `apply` takes back, and what they cannot say of it.

use crate::cli::Form;
use board_profile::{Snapshot, Stack};

/// What runs as text, and what is to be said of that.
pub(crate) struct Export {
    /// The text; none where the form has no words for what runs.
    pub(crate) text: Option<String>,
    /// What the text leaves out, a sentence each.
    pub(crate) notes: Vec<String>,
    /// What the reader of the text will refuse in it, ready to print; empty for nothing.
    pub(crate) refused: String,
}

/// What runs in this form. A text in SCST's own form tells everything that there is, be it refused when it is read.
pub(crate) fn export(snapshot: &Snapshot, form: Form) -> Export {
    let conf = snapshot.conf();
    let read = Stack::from_conf("scst.conf", &conf);
    let refused = read.as_ref().err().map(|problems| problems.plain()).unwrap_or_default();
    let text = match form {
        Form::Conf => Some(conf),
        Form::Toml => read.ok().map(|stack| stack.toml()),
    };
    Export { text, notes: snapshot.unsaid(), refused }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::snapshot;
    use board_profile::Action;
    use std::fs;

    /// A box with a file, a disk that was never opened and a target with two groups.
    fn system() -> Fake {
        let mut fake = Fake::new();
        for module in ["scst", "scst_vdisk", "scst_local"] {
            let load = Action::Modprobe { module: module.into(), params: Vec::new() };
            crate::execute::Machine::run(&mut fake, &load).map_err(|trouble| trouble.errno).unwrap();
        }
        fs::write(fake.root.at("/dev/vdb"), "").unwrap();
        fs::write(fake.root.at("/data/d.img"), "").unwrap();
        fake.echo("add_device file filename=/data/d.img", "handlers/vdisk_fileio/mgmt");
        fake.echo("add_device disk filename=/dev/vdb; active=0", "handlers/vdisk_blockio/mgmt");
        fake.echo("add_target t", "targets/scst_local/mgmt");
        for group in ["g", "h"] {
            fake.echo(&format!("create {group}"), "targets/scst_local/t/ini_groups/mgmt");
        }
        fake
    }

    fn exported(fake: &Fake) -> Export {
        export(&snapshot::read(&fake.root), Form::Conf)
    }

    fn text(export: &Export) -> &str {
        export.text.as_deref().unwrap()
    }

    #[test]
    fn a_size_that_a_disk_does_not_have_yet_is_left_out() {
        let export = exported(&system());
        assert!(
            text(&export).contains("DEVICE disk") && !text(&export).contains("size"),
            "{}",
            text(&export)
        );
        assert_eq!(
            export.notes,
            ["devices/disk/size is `0`, which no configuration can set; it is left out"]
        );
        assert_eq!(export.refused, "");
    }

    #[test]
    fn what_apply_refuses_is_said_where_it_is_written() {
        let mut fake = system();
        fake.echo("/data//d.img", "devices/file/filename");
        let export = exported(&fake);
        assert!(!text(&export).contains("/data//d.img"), "{}", text(&export));
        assert!(export.notes.iter().any(|note| note.contains("`/data//d.img`")), "{:?}", export.notes);
        assert!(export.refused.contains("no `filename` says on what"), "{}", export.refused);
        assert!(super::export(&snapshot::read(&fake.root), Form::Toml).text.is_none());
    }

    #[test]
    fn names_that_no_two_objects_share_in_a_configuration_are_told() {
        let mut fake = system();
        for group in ["g", "h"] {
            fake.echo("add host", &format!("targets/scst_local/t/ini_groups/{group}/initiators/mgmt"));
        }
        let export = exported(&fake);
        assert_eq!(text(&export).matches("INITIATOR host").count(), 2, "{}", text(&export));
        assert!(export.refused.contains("`host`"), "{}", export.refused);
    }
}
