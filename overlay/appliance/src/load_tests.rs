// SPDX-License-Identifier: MIT OR Apache-2.0
//! Configurations against a made-up target stack: twice is nothing, a change is the change, and what is exported
//! comes back.

use super::*;
use crate::fake::Fake;
use crate::report::State;

pub(super) const PROFILE: &str = r#"
schema = 1
[board]
name = "try"
description = "a bit of everything"
arch = "x86_64"
[drivers]
load = ["virtio_pci", "virtio_blk"]
[scst]
setup_id = 16
[[device]]
name = "disk1"
handler = "vdisk_fileio"
filename = "/data/disk1.img"
size = "1 MiB"
prod_id = "FAST DISK"
[[device]]
name = "null1"
handler = "vdisk_nullio"
size = "1 GiB"
[[device]]
name = "cd1"
handler = "vcdrom"
[[target]]
driver = "scst_local"
name = "tgt"
sessions = ["host", "backup1"]
rel_tgt_id = 1
[[target.lun]]
lun = 0
device = "disk1"
[[target.lun]]
lun = 1
device = "null1"
read_only = true
[[target.lun]]
lun = 2
device = "cd1"
[[target.group]]
name = "backups"
initiators = ["backup*"]
cpu_mask = 1
[[target.group.lun]]
lun = 0
device = "null1"
[[device_group]]
name = "dg"
devices = ["disk1"]
[[device_group.target_group]]
name = "here"
group_id = 7
targets = ["tgt"]
[[device_group.target_group]]
name = "there"
group_id = 8
state = "standby"
remote_target = [{ name = "other", rel_tgt_id = 3 }, { name = "another", rel_tgt_id = 4 }]
"#;

pub(super) fn own(path: &str) -> Source {
    Source { path: path.into(), policy: Policy::Own }
}

pub(super) fn keep(path: &str) -> Source {
    Source { path: path.into(), policy: Policy::Keep }
}

/// Loads text; gives back the report and the writes.
pub(super) fn load(fake: &mut Fake, source: &Source, text: &str) -> (Report, Vec<String>) {
    let root = fake.root.clone();
    fs::write(root.at(&source.path), text).unwrap();
    fake.take_writes();
    let report = source.load_on(fake, &root, Duration::ZERO);
    (report, fake.take_writes())
}

/// A system on which the profile is up.
pub(super) fn system() -> Fake {
    let mut fake = Fake::new();
    let (report, _) = load(&mut fake, &own("/profile.toml"), PROFILE);
    assert_eq!((report.state, report.present), (State::Up, 0), "{:?}", report.failures);
    fake
}

pub(super) fn conf(fake: &Fake) -> String {
    snapshot::read(&fake.root).conf()
}

/// The lines in an order that does not depend on that of folders.
pub(super) fn sorted(conf: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = conf.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_good_profile_comes_up_whole_and_a_second_load_writes_nothing() {
    let mut fake = system();
    let tree = fake.dump();
    assert_eq!(fs::metadata(fake.root.at("/data/disk1.img")).unwrap().len(), 1 << 20);
    assert_eq!(fake.cat("devices/disk1/prod_id"), "FAST DISK\n[key]\n");
    let (report, writes) = load(&mut fake, &own("/profile.toml"), PROFILE);
    assert_eq!(writes, Vec::<String>::new());
    assert_eq!((report.state, report.up, report.objects), (State::Up, report.present, report.present));
    assert!(report.present > 30, "{}", report.present);
    assert_eq!(report.notes, Vec::<String>::new());
    assert!(report.summary().starts_with("nothing to do"), "{}", report.summary());
    assert_eq!(fake.dump(), tree);
    // The host shows as many steps as the appliance has objects.
    let whole = own("/profile.toml").stack(&fake.root).unwrap().plan();
    assert_eq!(whole.steps.len(), report.objects);
}

#[test]
fn a_missing_file_costs_its_lun_and_the_others_come_up() {
    let mut fake = Fake::new();
    let text = PROFILE.replace("vdisk_fileio", "vdisk_blockio").replace("/data/disk1.img", "/dev/nosuch");
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &text);
    let failed: Vec<_> = report.failures.iter().map(|failure| failure.object.as_str()).collect();
    assert_eq!(failed, ["device disk1"]);
    assert_eq!(report.failures[0].errno, "ENOENT");
    let skipped: Vec<_> = report.skipped.iter().map(|skipped| skipped.object.as_str()).collect();
    let its_own = [
        "attribute devices/disk1/size",
        "attribute devices/disk1/prod_id",
        "lun scst_local/tgt/0",
        "device_group_device dg/disk1",
    ];
    assert_eq!(skipped, its_own);
    assert!(writes.contains(&"targets/scst_local/tgt/luns/mgmt < add null1 1 read_only=1".to_string()));
    // The disk comes, and a second load brings up what was missing, and nothing else.
    fs::write(fake.root.at("/dev/nosuch"), "").unwrap();
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &text);
    assert_eq!(report.state, State::Up, "{:?}", report.failures);
    assert_eq!(writes.len(), 5, "{writes:?}");
}

/// What a change of the profile writes.
fn change(from: &str, to: &str) -> Vec<String> {
    let mut fake = system();
    assert!(PROFILE.contains(from), "{from}");
    let changed = PROFILE.replacen(from, to, 1);
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &changed);
    assert_eq!(report.state, State::Up, "{:?}", report.failures);
    let (again, none) = load(&mut fake, &own("/profile.toml"), &changed);
    assert_eq!((none, again.up), (Vec::new(), again.present), "{from} -> {to}");
    // It is as if the changed profile had been the first.
    let mut fresh = Fake::new();
    load(&mut fresh, &own("/profile.toml"), &changed);
    assert_eq!(sorted(&conf(&fake)), sorted(&conf(&fresh)), "{from} -> {to}");
    writes
}

#[test]
fn a_change_writes_the_change() {
    let tgt = "targets/scst_local/tgt";
    for (from, to, writes) in [
        ("rel_tgt_id = 1", "rel_tgt_id = 5", vec![format!("{tgt}/rel_tgt_id < 5")]),
        (
            "rel_tgt_id = 1\n",
            "rel_tgt_id = 1\ncomment = \"two words\"\n",
            vec![format!("{tgt}/comment < two words")],
        ),
        ("rel_tgt_id = 1\n", "rel_tgt_id = 1\nforward_dst = true\n", vec![format!("{tgt}/forward_dst < 1")]),
        (
            "rel_tgt_id = 1\n",
            "rel_tgt_id = 1\nforwarding = true\nforward_src = true\n",
            vec![format!("{tgt}/forward_src < 1"), format!("{tgt}/forwarding < 1")],
        ),
        ("setup_id = 16", "setup_id = 17", vec!["setup_id < 0x11".into()]),
        ("setup_id = 16", "", vec!["setup_id < 0x0".into()]),
        ("size = \"1 GiB\"", "size = \"2 GiB\"", vec!["devices/null1/size < 2147483648".into()]),
        ("size = \"1 GiB\"", "", vec!["devices/null1/size < 2748779069440".into()]),
        ("cpu_mask = 1", "cpu_mask = 2", vec![format!("{tgt}/ini_groups/backups/cpu_mask < 2")]),
        ("\"host\", ", "", vec!["targets/scst_local/mgmt < del_session tgt host".into()]),
        (
            "\"host\", ",
            "\"host\", \"host2\", ",
            vec!["targets/scst_local/mgmt < add_session tgt host2".into()],
        ),
        (
            "device = \"null1\"\nread_only = true",
            "device = \"null1\"",
            vec![format!("{tgt}/luns/mgmt < replace null1 1")],
        ),
        ("[[target.lun]]\nlun = 2\ndevice = \"cd1\"", "", vec![format!("{tgt}/luns/mgmt < del 2")]),
        (
            "lun = 2\n",
            "lun = 3\n",
            vec![format!("{tgt}/luns/mgmt < del 2"), format!("{tgt}/luns/mgmt < add cd1 3")],
        ),
        (
            "state = \"standby\"",
            "state = \"active\"",
            vec!["device_groups/dg/target_groups/there/state < active".into()],
        ),
        (
            "rel_tgt_id = 3",
            "rel_tgt_id = 5",
            vec!["device_groups/dg/target_groups/there/other/rel_tgt_id < 5".into()],
        ),
        ("targets = [\"tgt\"]", "", vec!["device_groups/dg/target_groups/here/mgmt < del tgt".into()]),
        ("devices = [\"disk1\"]", "", vec!["device_groups/dg/devices/mgmt < del disk1".into()]),
    ] {
        assert_eq!(change(from, to), writes, "{from} -> {to}");
    }
}

#[test]
fn what_only_a_new_device_takes_makes_it_anew_and_touches_no_other() {
    let tgt = "targets/scst_local/tgt";
    let writes = change("size = \"1 MiB\"", "size = \"1 MiB\"\nread_only = true");
    let expected = [
        format!("{tgt}/luns/mgmt < del 0"),
        "handlers/vdisk_fileio/mgmt < del_device disk1".into(),
        "handlers/vdisk_fileio/mgmt < add_device disk1 filename=/data/disk1.img; read_only=1".into(),
        "devices/disk1/prod_id < FAST DISK".into(),
        format!("{tgt}/luns/mgmt < add disk1 0"),
        "device_groups/dg/devices/mgmt < add disk1".into(),
    ];
    assert_eq!(writes, expected);
    let fake = system();
    fs::write(fake.root.at("/profile.toml"), PROFILE.replace("size = \"1 MiB\"", "blocksize = 4096"))
        .unwrap();
    let plan = own("/profile.toml").plan(&fake.root).unwrap().to_string();
    let note = "# device disk1 is made anew, since `blocksize` is `512` and should be `4096`; this interrupts scst_local/tgt LUN 0\n";
    assert!(plan.contains(note), "{plan}");
}

#[test]
fn a_write_cache_that_an_initiator_switched_off_makes_no_device_anew() {
    let mut fake = system();
    fs::write(fake.at("devices/disk1/write_through"), "1\n[key]\n").unwrap();
    let (report, writes) = load(&mut fake, &own("/profile.toml"), PROFILE);
    assert_eq!((report.state, writes), (State::Up, Vec::new()));
}

#[test]
fn a_group_that_goes_hands_its_sessions_over() {
    let writes = change("name = \"backups\"", "name = \"nightly\"");
    let groups = "targets/scst_local/tgt/ini_groups";
    let expected = [
        format!("{groups}/mgmt < create nightly"),
        format!("{groups}/nightly/cpu_mask < 1"),
        format!("{groups}/nightly/luns/mgmt < add null1 0"),
        format!("{groups}/backups/initiators/mgmt < move backup* nightly"),
        format!("{groups}/mgmt < del backups"),
    ];
    assert_eq!(writes, expected);
}

#[test]
fn what_nobody_describes_goes_with_load_and_stays_with_apply() {
    let mut fake = system();
    fake.echo("add_device extra", "handlers/vdisk_nullio/mgmt");
    fake.echo("add extra 9", "targets/scst_local/tgt/luns/mgmt");
    fake.echo("add_target scst_local_tgt", "targets/scst_local/mgmt");
    fake.echo("create dg2", "device_groups/mgmt");
    fake.echo("shared", "devices/null1/threads_pool_type");
    let tree = fake.dump();
    let (report, writes) = load(&mut fake, &keep("/profile.toml"), PROFILE);
    assert_eq!((report.state, writes), (State::Up, Vec::new()));
    assert_eq!(report.notes.len(), 5, "{:?}", report.notes);
    assert!(report.notes.iter().filter(|note| note.contains("--force removes it")).count() == 4);
    assert_eq!(fake.dump(), tree);
    let (report, writes) = load(&mut fake, &own("/profile.toml"), PROFILE);
    assert_eq!((report.state, writes.len()), (State::Up, 5), "{writes:?}");
    assert_eq!(sorted(&conf(&fake)), sorted(&conf(&system())));
}

#[test]
fn apply_interrupts_nothing_unless_it_is_told_to() {
    let mut fake = system();
    let conf_text =
        conf(&fake).replace("LUN 2 cd1", "LUN 2 null1").replace("prod_id", "read_only 1\n\t\tprod_id");
    let (report, writes) = load(&mut fake, &keep("/new.conf"), &conf_text);
    assert_eq!((report.state, writes), (State::Up, Vec::new()), "{:?}", report.notes);
    assert_eq!(report.notes.len(), 2, "{:?}", report.notes);
    let (report, writes) = load(&mut fake, &own("/new.conf"), &conf_text);
    assert_eq!(report.state, State::Up, "{:?}", report.failures);
    assert!(writes.iter().any(|write| write.ends_with("replace null1 2 read_only=1")), "{writes:?}");
}

#[test]
fn what_is_exported_comes_back_as_the_same_tree() {
    let mut fake = system();
    fake.echo("/data/disk1.img", "devices/cd1/filename");
    fake.echo("it's a \"name\" # or {so}", "devices/null1/vend_specific_id");
    let (tree, exported) = (fake.dump(), conf(&fake));
    for (path, text) in [
        ("/saved.conf", exported.clone()),
        (
            "/saved.toml",
            Stack::from_conf("saved.conf", &exported).unwrap_or_else(|p| panic!("{}", p.plain())).toml(),
        ),
    ] {
        let (report, _) = load(&mut fake, &own("/empty.conf"), "");
        assert_eq!(report.state, State::Up, "{:?}", report.failures);
        let empty = conf(&fake);
        assert!(!empty.contains("DEVICE") && !empty.contains("session_name"), "{empty}");
        let (report, _) = load(&mut fake, &keep(path), &text);
        assert_eq!(report.state, State::Up, "{path}: {:?}", report.failures);
        assert_eq!(sorted(&conf(&fake)), sorted(&exported), "{path}");
        assert_eq!(fake.dump(), tree, "{path}");
    }
}

#[test]
fn a_removal_that_fails_costs_what_would_have_come_instead() {
    let mut fake = system();
    fake.refuse = Some("del_device disk1");
    let changed = PROFILE.replace("size = \"1 MiB\"", "read_only = true");
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &changed);
    let failed: Vec<_> = report.failures.iter().map(|failure| failure.object.as_str()).collect();
    assert_eq!(failed, ["removal device disk1"]);
    assert!(report.skipped.iter().any(|skipped| skipped.object == "device disk1"));
    assert!(!writes.iter().any(|write| write.contains("add_device")), "{writes:?}");
}

#[test]
fn a_bad_configuration_touches_nothing_and_is_explained() {
    let mut fake = system();
    for (path, text, said) in [
        ("/profile.toml", PROFILE.replace("lun = 1", "lun = 0"), "/profile.toml:"),
        (
            "/bad.conf",
            "HANDLER vdisk_nullio {\n\tDEVICE d {\n\t\tbogus 1\n\t}\n}\n".to_string(),
            "/bad.conf:3:",
        ),
    ] {
        let (report, writes) = load(&mut fake, &own(path), &text);
        assert_eq!((report.state, report.exit_status(), writes), (State::Unusable, 2, Vec::new()));
        assert!(report.profile_errors.contains(said), "{}", report.profile_errors);
    }
    let root = fake.root.clone();
    let report = own("/nosuch.toml").load(&root, Duration::ZERO, "true");
    assert!(report.profile_errors.contains("/nosuch.toml"), "{}", report.profile_errors);
}
