// SPDX-License-Identifier: GPL-2.0-only
//! `modules/COMMANDS.md` is what the table of commands says: made by this test, which fails where the file is another one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proto::device_type::DeviceType;
use proto::opcode::{Direction, Length, OpDesc};
use proto::optable::TABLE;
use proto::served::{by_core, by_device, standard};

/// Has the file written instead of compared.
const UPDATE: &str = "UPDATE_COMMANDS_MD";

const HEAD: &str = "\
<!-- SPDX-License-Identifier: GPL-2.0-only -->
<!-- Made from proto/optable.rs and proto/served.rs: UPDATE_COMMANDS_MD=1 cargo test -p proto --test commands_doc -->
# The commands

What each handler carries out, from the one table that CDBs are parsed by and that REPORT SUPPORTED OPERATION CODES reports. The last
column names the recorded transcripts that send the command to a booted appliance (`ci/golden/transcripts/`); the scenario `opcodes`
sends every operation code there is to each kind of device, and compares the report with what is answered. `proto/tests/cdb.rs` parses
one CDB of each.

**yes**: the device carries it out. **thin**: if its blocks can be given back. **core**: the core does, for every device. **groups**: the
core does, for a device in a device group that `expl_alua` allows it to. **–**: refused, with 20/00, or 24/00 at the service action where
the operation code has others. Every other operation code is refused with 20/00; so is 7Fh, as the 32-byte forms belong to type 2
protection (SBC-3), which no disk here has.

";

/// The handlers, with their device type and whether they have a store: it may be thin, and follow the states of port groups.
const HANDLERS: [(&str, DeviceType, bool); 4] = [
    ("fileio", DeviceType::Disk, true),
    ("blockio", DeviceType::Disk, true),
    ("nullio", DeviceType::Disk, false),
    ("vcdrom", DeviceType::CdRom, false),
];

/// How much a command transfers, in the words of the table.
fn data(op: &OpDesc) -> String {
    let amount = match op.length {
        Length::Zero => return "none".into(),
        Length::Fixed(bytes) => format!("{bytes} bytes"),
        Length::Bytes { at, width } => format!("bytes in {}", field(at, width)),
        Length::Blocks { at, width } => format!("blocks in {}", field(at, width)),
        Length::Blocks6 => "blocks in 4, 0 is 256".into(),
        Length::TwiceBlocks13 => "twice the blocks in 13".into(),
        Length::BlocksIfBytchk { at, width } => format!("blocks in {} if BYTCHK", field(at, width)),
        Length::OneBlock { .. } => "1 block, none with NDOB".into(),
        Length::FormatHeader => "4 or 8 bytes if FMTDATA".into(),
    };
    let way = match op.direction {
        Direction::None => "none",
        Direction::In => "in",
        Direction::Out => "out",
    };
    format!("{way}: {amount}")
}

/// The bytes of a field.
fn field(at: u32, width: u32) -> String {
    match width {
        1 => at.to_string(),
        _ => format!("{at}–{}", at + width - 1),
    }
}

fn served(op: &OpDesc, device_type: DeviceType, has_store: bool) -> &'static str {
    if !op.types.contains(device_type) {
        "–"
    } else if by_core(op, || false) {
        "core"
    } else if has_store && by_core(op, || true) {
        "groups"
    } else if by_device(op, device_type, false) {
        "yes"
    } else if has_store && by_device(op, device_type, true) {
        "thin"
    } else {
        "–"
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Bytes 0 and 1 of each CDB that a transcript sends, with the transcript's topic.
fn sent() -> Vec<(u8, u8, String)> {
    let folder = repository().join("ci/golden/transcripts");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the transcripts") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        let topic = name.split('-').next().unwrap_or("").to_string();
        let text = std::fs::read_to_string(&path).expect("a transcript");
        for line in text.lines().filter_map(|line| line.strip_prefix("CDB ")) {
            let mut bytes = line
                .split(' ')
                .skip(1)
                .map(|byte| u8::from_str_radix(byte, 16));
            if let (Some(Ok(opcode)), Some(Ok(byte1))) = (bytes.next(), bytes.next()) {
                all.push((opcode, byte1, topic.clone()));
            }
        }
    }
    all
}

/// Topics by their number.
fn topics(op: &OpDesc, sent: &[(u8, u8, String)]) -> String {
    let sends = |opcode: u8, byte1: u8| {
        let action = op
            .service_action
            .is_none_or(|action| u16::from(byte1 & 0x1F) == action);
        opcode == op.opcode && action
    };
    let found: BTreeSet<_> = sent
        .iter()
        .filter(|(opcode, byte1, _)| sends(*opcode, *byte1))
        .map(|(_, _, topic)| (topic.len(), topic.as_str()))
        .collect();
    let names: Vec<_> = found.into_iter().map(|(_, topic)| topic).collect();
    names.join(" ")
}

fn document() -> String {
    let sent = sent();
    let mut text = String::from(HEAD);
    text.push_str("| CDB | command | length | data |");
    HANDLERS
        .iter()
        .for_each(|(name, ..)| write!(text, " {name} |").expect("memory"));
    text.push_str(" standard | sent in |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for op in TABLE {
        let code = match op.service_action {
            None => format!("{:02X}", op.opcode),
            Some(action) => format!("{:02X}/{action:02X}", op.opcode),
        };
        let (name, length, data) = (op.name, op.cdb_len(), data(op));
        write!(text, "| {code} | {name} | {length} | {data} |").expect("memory");
        for (_, device_type, has_store) in HANDLERS {
            write!(text, " {} |", served(op, device_type, has_store)).expect("memory");
        }
        writeln!(text, " {} | {} |", standard(op.op), topics(op, &sent)).expect("memory");
    }
    text
}

#[test]
fn the_table_of_commands_is_the_one_that_is_committed() {
    let path = repository().join("modules/COMMANDS.md");
    let made = document();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &made).expect("COMMANDS.md can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (made, committed)) in made.lines().zip(committed.lines()).enumerate() {
        assert_eq!(
            made,
            committed,
            "modules/COMMANDS.md:{}: run this test with {UPDATE}=1",
            number + 1
        );
    }
    assert!(
        made == committed,
        "modules/COMMANDS.md is shorter or longer: run this test with {UPDATE}=1"
    );
}

#[test]
fn every_command_that_is_served_has_been_sent() {
    let sent = sent();
    for op in TABLE {
        // The scenario `opcodes` sends it, as it does every one without a service action.
        let is_sent = op.service_action.is_none() || !topics(op, &sent).is_empty();
        assert!(is_sent, "no transcript sends {}", op.name);
    }
}
