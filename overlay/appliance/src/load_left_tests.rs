// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a configuration leaves alone, and what it gives back once nobody describes it any more.

use super::tests::{conf, keep, load, own, system, PROFILE};
use crate::fake::Fake;
use crate::report::State;
use board_profile::Stack;
use std::fs;

#[test]
fn apply_writes_nothing_to_a_device_that_it_leaves_as_it_is() {
    for (from, to) in [
        // A fileio device that should be a drive with a disc, or of another block size; with values of its own.
        ("size = \"1 MiB\"\nprod_id = \"FAST DISK\"", "prod_id = \"DRIVE\""),
        ("size = \"1 MiB\"\n", "blocksize = 4096\nusn = \"other\"\n"),
        // A nullio device that should be a file.
        (
            "\"vdisk_nullio\"\nsize = \"1 GiB\"",
            "\"vdisk_fileio\"\nfilename = \"/data/new.img\"\nsize = \"2 GiB\"",
        ),
    ] {
        let mut fake = system();
        assert!(PROFILE.contains(from), "{from}");
        let mut text = PROFILE.replacen(from, to, 1);
        if to.contains("DRIVE") {
            text = text.replacen("\"vdisk_fileio\"", "\"vcdrom\"", 1);
        }
        let tree = fake.dump();
        let (report, writes) = load(&mut fake, &keep("/profile.toml"), &text);
        assert_eq!((report.state, writes), (State::Up, Vec::new()), "{to}");
        assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
        assert!(report.notes[0].contains("--force makes it anew"), "{:?}", report.notes);
        assert_eq!(fake.dump(), tree, "{to}");
        assert!(!fake.root.at("/data/new.img").exists(), "{to}");
    }
}

#[test]
fn a_given_value_that_the_disk_or_an_initiator_overrides_interrupts_nothing() {
    let blockio = "\"vdisk_blockio\"\nfilename = \"/dev/disk1\"";
    let disk =
        PROFILE.replacen("\"vdisk_fileio\"\nfilename = \"/data/disk1.img\"\nsize = \"1 MiB\"", blockio, 1);
    for (given, file, shown) in [
        // The disk has no volatile cache.
        ("nv_cache = false", "nv_cache", "1\n[key]\n"),
        // An initiator switched the write cache off.
        ("write_through = false", "write_through", "1\n[key]\n"),
    ] {
        let mut fake = Fake::new();
        fs::write(fake.root.at("/dev/disk1"), "").unwrap();
        let text = disk.replacen(blockio, &format!("{blockio}\n{given}"), 1);
        let (report, _) = load(&mut fake, &own("/profile.toml"), &text);
        assert_eq!(report.state, State::Up, "{:?}", report.failures);
        fs::write(fake.at("devices/disk1").join(file), shown).unwrap();
        let (report, writes) = load(&mut fake, &own("/profile.toml"), &text);
        assert_eq!((report.state, writes), (State::Up, Vec::new()), "{given}");
        assert!(report.notes.iter().any(|note| note.contains(&format!("`{file}` is"))), "{:?}", report.notes);
    }
    // What only the profile decides makes the device anew, and so does a write cache that it forbids.
    for given in ["nv_cache = true", "write_through = true"] {
        let mut fake = Fake::new();
        fs::write(fake.root.at("/dev/disk1"), "").unwrap();
        load(&mut fake, &own("/profile.toml"), &disk);
        let text = disk.replacen(blockio, &format!("{blockio}\n{given}"), 1);
        let (report, writes) = load(&mut fake, &own("/profile.toml"), &text);
        assert_eq!(report.state, State::Up, "{:?}", report.failures);
        assert!(writes.iter().any(|write| write.contains("del_device disk1")), "{writes:?}");
    }
}

#[test]
fn a_value_with_two_names_goes_back_once() {
    let mut fake = system();
    fake.echo("1", "targets/scst_local/tgt/forwarding");
    let (report, writes) = load(&mut fake, &own("/profile.toml"), PROFILE);
    assert_eq!(
        (report.state, writes),
        (State::Up, vec!["targets/scst_local/tgt/forward_dst < 0".to_string()])
    );
    let (_, writes) = load(&mut fake, &own("/profile.toml"), PROFILE);
    assert_eq!(writes, Vec::<String>::new());
}

#[test]
fn what_shows_no_key_goes_back_to_its_default_too() {
    let tgt = "targets/scst_local/tgt";
    let changed = PROFILE
        .replacen("setup_id = 16", "setup_id = 16\nmeasure_latency = true\nasync_lun_replace = true", 1)
        .replacen("rel_tgt_id = 1", "rel_tgt_id = 1\nblack_hole = 2", 1)
        .replacen("cpu_mask = 1", "cpu_mask = 1\nblack_hole = 1", 1);
    let mut fake = system();
    let fresh = fake.dump();
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &changed);
    assert_eq!((report.state, writes.len()), (State::Up, 4), "{writes:?}");
    let (report, writes) = load(&mut fake, &keep("/profile.toml"), PROFILE);
    assert_eq!((report.notes.len(), writes), (4, Vec::new()), "{:?}", report.notes);
    let (report, writes) = load(&mut fake, &own("/profile.toml"), PROFILE);
    let expected = [
        "async_lun_replace < 0".to_string(),
        "measure_latency < 0".into(),
        format!("{tgt}/black_hole < 0"),
        format!("{tgt}/ini_groups/backups/black_hole < 0"),
    ];
    assert_eq!((report.state, writes), (State::Up, expected.to_vec()));
    assert_eq!(fake.dump(), fresh);
}

#[test]
fn a_group_number_that_cannot_be_taken_away_stays_and_is_named() {
    let mut fake = system();
    let changed =
        PROFILE.replacen("group_id = 7", "group_id = 0", 1).replacen("rel_tgt_id = 3", "rel_tgt_id = 0", 1);
    for source in [own("/profile.toml"), keep("/profile.toml")] {
        let (report, writes) = load(&mut fake, &source, &changed);
        assert_eq!((report.state, writes), (State::Up, Vec::new()), "{:?}", report.failures);
        for file in ["here/group_id is 7", "there/other/rel_tgt_id is 3"] {
            assert!(report.notes.iter().any(|note| note.contains(file)), "{:?}", report.notes);
        }
    }
    // One that is made without a number has none, twice.
    let mut fake = Fake::new();
    let (report, _) = load(&mut fake, &own("/profile.toml"), &changed);
    assert_eq!((report.state, report.notes.len()), (State::Up, 0), "{:?}", report.failures);
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &changed);
    assert_eq!((report.notes.len(), writes), (0, Vec::new()));
}

#[test]
fn a_disc_that_nobody_describes_any_more_leaves_the_drive() {
    let mut fake = system();
    let (tree, disc) = (fake.dump(), "name = \"cd1\"\nhandler = \"vcdrom\"\n");
    let with_disc = PROFILE.replacen(disc, &format!("{disc}filename = \"/data/disc.iso\"\n"), 1);
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &with_disc);
    assert_eq!(
        (report.state, writes),
        (State::Up, vec!["devices/cd1/filename < /data/disc.iso".to_string()])
    );
    let (report, writes) = load(&mut fake, &keep("/profile.toml"), PROFILE);
    assert_eq!(writes, Vec::<String>::new());
    assert_eq!(report.notes, ["medium cd1 is not described and stays; --force removes it"]);
    let (report, writes) = load(&mut fake, &own("/profile.toml"), PROFILE);
    assert_eq!((report.state, writes), (State::Up, vec!["devices/cd1/filename < ".to_string()]));
    assert_eq!(fake.dump(), tree);
}

/// The handler and store of a disk below `/dev`.
const DISK: &str = "\"vdisk_blockio\"\nfilename = \"/dev/disk-d\"";

/// A system without modules that has this disk, with 128 MiB and a sector more than whole blocks of 4096 bytes; and a
/// profile in which `disk1` stands on it.
fn with_disk() -> (Fake, String) {
    let file = "\"vdisk_fileio\"\nfilename = \"/data/disk1.img\"\nsize = \"1 MiB\"";
    let fake = Fake::new();
    fs::create_dir_all(fake.root.at("/sys/class/block/vdb")).unwrap();
    fs::write(fake.root.at("/dev/vdb"), "").unwrap();
    std::os::unix::fs::symlink("vdb", fake.root.at("/dev/disk-d")).unwrap();
    fs::write(fake.root.at("/sys/class/block/vdb/size"), "262145\n").unwrap();
    (fake, PROFILE.replacen(file, DISK, 1))
}

#[test]
fn a_disk_that_was_never_opened_has_no_size_yet() {
    let (mut fake, disk) = with_disk();
    let closed = disk.replacen(DISK, &format!("{DISK}\nactive = false"), 1);
    load(&mut fake, &own("/profile.toml"), &closed);
    assert_eq!(fake.cat("devices/disk1/size"), "0\n[key]\n");
    for source in [own("/profile.toml"), keep("/profile.toml")] {
        let (report, writes) = load(&mut fake, &source, &closed);
        assert_eq!((report.notes.len(), writes), (0, Vec::new()), "{:?}", report.notes);
    }
    // Once it is opened it has its disk's, and nothing else is needed.
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &disk);
    assert_eq!((report.state, writes), (State::Up, vec!["devices/disk1/active < 1".to_string()]));
    assert_eq!(fake.cat("devices/disk1/size"), "134218240\n[key]\n");
    let (_, writes) = load(&mut fake, &own("/profile.toml"), &disk);
    assert_eq!(writes, Vec::<String>::new());
    // A size that somebody set stays while the disk is closed, and that is said; it goes with one load when it is opened.
    fake.echo("67108864", "devices/disk1/size");
    for expected in [vec!["devices/disk1/active < 0".to_string()], Vec::new()] {
        let (report, writes) = load(&mut fake, &own("/profile.toml"), &closed);
        assert_eq!((report.state, writes), (State::Up, expected));
        assert!(report.notes.len() == 1 && report.notes[0].contains("not active"), "{:?}", report.notes);
    }
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &disk);
    let expected = ["devices/disk1/active < 1", "devices/disk1/resync_size < 1"].map(str::to_string);
    assert_eq!((report.state, writes), (State::Up, expected.to_vec()));
    assert_eq!(fake.cat("devices/disk1/size"), "134218240\n[key]\n");
}

#[test]
fn what_the_core_closed_since_no_target_leads_to_it_stays_closed() {
    let (mut fake, disk) = with_disk();
    let standby = disk.replacen("group_id = 7", "group_id = 7\nstate = \"standby\"", 1);
    for given in ["", "\nactive = true"] {
        let text = standby.replacen(DISK, &format!("{DISK}{given}"), 1);
        load(&mut fake, &own("/profile.toml"), &text);
        // As it is behind a group that is in standby, and as somebody made it smaller before.
        for (file, shown) in [("active", "0\n[key]\n"), ("size", "67108864\n[key]\n")] {
            fs::write(fake.at("devices/disk1").join(file), shown).unwrap();
        }
        for source in [own("/profile.toml"), keep("/profile.toml")] {
            let (report, writes) = load(&mut fake, &source, &text);
            assert_eq!((report.state, writes), (State::Up, Vec::new()), "{given}");
        }
    }
    // What is not bound to the groups, or is reached, was closed by somebody.
    for text in [standby.replacen(DISK, &format!("{DISK}\nbind_alua_state = false"), 1), disk] {
        fake.echo("0", "devices/disk1/active");
        let (report, writes) = load(&mut fake, &own("/profile.toml"), &text);
        assert_eq!(report.state, State::Up, "{:?}", report.failures);
        assert!(writes.contains(&"devices/disk1/active < 1".to_string()), "{writes:?}");
    }
}

#[test]
fn a_disk_whose_size_nobody_describes_any_more_is_whole_again() {
    let (mut fake, disk) = with_disk();
    let blockio = DISK;
    let disk = disk.replacen(blockio, &format!("{blockio}\nblocksize = 4096"), 1);
    let smaller = disk.replacen(blockio, &format!("{blockio}\nsize = \"64 MiB\""), 1);
    load(&mut fake, &own("/profile.toml"), &disk);
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &disk);
    assert_eq!((report.notes.len(), writes), (0, Vec::new()), "{:?}", report.notes);
    load(&mut fake, &own("/profile.toml"), &smaller);
    let (report, writes) = load(&mut fake, &keep("/profile.toml"), &disk);
    assert_eq!((report.notes.len(), writes), (1, Vec::new()), "{:?}", report.notes);
    let (report, writes) = load(&mut fake, &own("/profile.toml"), &disk);
    assert_eq!((report.state, writes), (State::Up, vec!["devices/disk1/resync_size < 1".to_string()]));
    let (_, writes) = load(&mut fake, &own("/profile.toml"), &disk);
    assert_eq!(writes, Vec::<String>::new());
}

#[test]
fn the_order_of_groups_is_kept_and_a_wrong_one_is_named() {
    let group = |name: &str, pattern: &str| {
        format!("[[target.group]]\nname = \"{name}\"\ninitiators = [\"{pattern}\"]\n")
    };
    let profile = |groups: &[(&str, &str)]| {
        let groups: String = groups.iter().map(|(name, pattern)| group(name, pattern)).collect();
        format!("schema = 1\n[[target]]\nname = \"t\"\nsessions = [\"h\"]\n{groups}")
    };
    let (all, some, one) = (("zz-all", "*"), ("aa-some", "h*"), ("mm-one", "other"));
    let mut fake = Fake::new();
    load(&mut fake, &own("/profile.toml"), &profile(&[all, some, one]));
    let exported = conf(&fake);
    let at = |name: &str| exported.find(&format!("GROUP {name}")).unwrap();
    assert!(at("zz-all") < at("aa-some") && at("aa-some") < at("mm-one"), "{exported}");
    for (groups, note) in [
        (vec![all, some, one], None),
        (vec![some, all, one], Some("zz-all comes before aa-some")),
        (vec![all, ("new", "n*"), some, one], Some("aa-some comes before new")),
        // A group that goes leaves the others in order.
        (vec![some, one], None),
        // Names without wildcards match one group only.
        (vec![("new", "third"), one], None),
    ] {
        let (report, _) = load(&mut fake, &own("/profile.toml"), &profile(&groups));
        assert_eq!(report.state, State::Up, "{groups:?}: {:?}", report.failures);
        match note {
            None => assert_eq!(report.notes, Vec::<String>::new(), "{groups:?}"),
            Some(note) => {
                assert!(report.notes.len() == 1 && report.notes[0].contains(note), "{:?}", report.notes);
            }
        }
    }
}

#[test]
fn what_is_exported_is_taken_back_and_what_is_not_is_named() {
    let mut fake = system();
    let comment = "targets/scst_local/tgt/comment";
    fake.echo(" Büro, 2. Stock ", comment);
    let exported = conf(&fake);
    assert!(exported.contains("comment \" Büro, 2. Stock \"\n"), "{exported}");
    let (report, writes) = load(&mut fake, &own("/saved.conf"), &exported);
    assert_eq!((report.state, writes), (State::Up, Vec::new()), "{}", report.profile_errors);
    fake.echo("box7", "cluster_name");
    fake.echo("1", "targets/copy_manager/allow_not_connected_copy");
    fs::write(fake.at(comment), "one\ntwo\n[key]\n").unwrap();
    fs::write(fake.at("devices/null1/prod_id"), "Büro\n[key]\n").unwrap();
    fs::write(fake.at("devices/null1/vend_specific_id"), "\n[key]\n").unwrap();
    fs::write(fake.at("targets/scst_local/tgt/ini_groups/backups/io_grouping_type"), "odd\n[key]\n").unwrap();
    let exported = conf(&fake);
    for lost in ["comment", "cluster_name", "allow_not_connected_copy"] {
        assert!(!exported.contains(lost), "{exported}");
    }
    let unsaid = crate::snapshot::read(&fake.root).unsaid();
    let named =
        ["cluster_name is `box7`", "allow_not_connected_copy is `1`", "tgt/comment begins with `one`"];
    assert!(
        unsaid.len() == 6 && named.iter().all(|named| unsaid.iter().any(|said| said.contains(named))),
        "{unsaid:?}"
    );
    Stack::from_conf("/saved.conf", &exported).unwrap_or_else(|problems| panic!("{}", problems.plain()));
    // What is said of such a comment counts.
    let one = PROFILE.replacen("rel_tgt_id = 1", "rel_tgt_id = 1\ncomment = \"one\"", 1);
    let (_, writes) = load(&mut fake, &keep("/profile.toml"), &one);
    assert_eq!(writes, [format!("{comment} < one")]);
}
