// SPDX-License-Identifier: GPL-2.0-only
//! Whatever is asked, an answer that is cut short is the beginning of the whole one.

use proto::capacity::Capacity;
use proto::cdb::ReportOpcodes;
use proto::device_type::DeviceType;
use proto::inquiry::{no_such_lun, standard, vpd, Identity, Pages, Tpgs};
use proto::lun::{report_luns, AddrMethod};
use proto::opcodes_report::supported_opcodes;
use proto::sense::Sense;
use proto::{log, mmc};

use super::input::{cut_is_a_prefix, Input};

pub fn any(data: &[u8]) {
    let mut input = Input(data);
    let (what, room) = (input.u8(), usize::from(input.u16() % 600));
    match what % 4 {
        0 => inquiry(&mut input, room),
        1 => opcodes(&mut input, room),
        2 => disc(&mut input, room),
        _ => others(&mut input, room),
    }
}

fn inquiry(input: &mut Input<'_>, room: usize) {
    let (page, flags) = (input.u8(), input.u8());
    let identity = Identity {
        device_type: if flags & 1 != 0 {
            DeviceType::CdRom
        } else {
            DeviceType::Disk
        },
        not_connected: flags & 2 != 0,
        removable: flags & 4 != 0,
        norm_aca: false,
        third_party_copy: false,
        tpgs: Tpgs::None,
        vendor: input.bytes(8),
        product: input.bytes(16),
        revision: input.bytes(4),
        serial: input.bytes(64),
        t10_dev_id: input.bytes(255),
        vend_specific_id: input.bytes(255),
        scsi_device_name: input.bytes(255),
        eui64: input.bytes(16),
        naa: input.bytes(16),
        inq_vend_specific: input.bytes(112),
        relative_port: input.u16(),
        port_group: (flags & 8 != 0).then_some(7),
        transport_versions: &[0x0BE0],
    };
    cut_is_a_prefix::<Sense>(room, |out| Ok(standard(&identity, out)));
    let pages = Pages {
        identity: &identity,
        volatile_cache: flags & 16 != 0,
        block: None,
    };
    cut_is_a_prefix(room, |out| vpd(page, &pages, out));
    cut_is_a_prefix(room, |out| vpd(0x83, &pages, out));
}

fn opcodes(input: &mut Input<'_>, room: usize) {
    let request = ReportOpcodes {
        rctd: input.bit(),
        options: input.u8() & 7,
        opcode: input.u8(),
        service_action: input.u16(),
        alloc_len: 0,
    };
    let every = input.u8() | 1;
    cut_is_a_prefix(room, |out| {
        supported_opcodes(&request, |op| op.opcode % every != 1, out)
    });
}

fn disc(input: &mut Input<'_>, room: usize) {
    let (kind, number, blocks) = (input.u8(), input.u32(), input.u32());
    cut_is_a_prefix(room, |out| {
        mmc::toc(kind & 1 != 0, kind >> 1, number as u8, blocks, out)
    });
    cut_is_a_prefix(room, |out| mmc::disc_information(kind, out));
    cut_is_a_prefix(room, |out| {
        mmc::track_information(kind, number, blocks, out)
    });
}

fn others(input: &mut Input<'_>, room: usize) {
    let (blocks, block_size, flags, page) = (input.u64(), input.u32(), input.u8(), input.u8());
    let capacity = Capacity {
        blocks,
        block_size,
        physical_exponent: flags & 7,
        lowest_aligned: u16::from(flags),
        lbpme: flags & 8 != 0,
        lbprz: flags & 16 != 0,
    };
    cut_is_a_prefix::<Sense>(room, |out| Ok(capacity.read_capacity_10(out)));
    cut_is_a_prefix::<Sense>(room, |out| Ok(capacity.read_capacity_16(out)));
    cut_is_a_prefix::<Sense>(room, |out| Ok(no_such_lun(out)));
    cut_is_a_prefix(room, |out| {
        report_luns(page, 256, 0..u16::from(flags), AddrMethod::Flat, out)
    });
    let _ = log::select(flags & 1 != 0, flags & 2 != 0, page, flags, block_size);
}
