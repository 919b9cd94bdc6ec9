// SPDX-License-Identifier: GPL-2.0-only
//! A MODE SELECT list is taken or refused; what was taken is what MODE SENSE then shows, and can be sent back.

use proto::cdb::{ModeSelect, ModeSense, PageControl};
use proto::device_type::DeviceType;
use proto::mode::{select, sense, ModeDevice, ModeState};

use super::input::{cut_is_a_prefix, Input};

pub fn any(data: &[u8]) {
    let mut input = Input(data);
    let (flags, page, subpage) = (input.u8(), input.u8(), input.u8());
    let now = ModeState::new(flags & 1 != 0, flags >> 1 & 1);
    let device = ModeDevice {
        device_type: if flags & 4 != 0 {
            DeviceType::CdRom
        } else {
            DeviceType::Disk
        },
        block_size: 512,
        blocks: 1 << (page & 0x3F),
        write_protected: flags & 8 != 0,
        locked: flags & 16 != 0,
        current: &now,
        default: &now,
        saved: (flags & 32 != 0).then_some(&now),
        wce_changeable: page & 128 != 0,
    };
    let ten = flags & 64 != 0;
    let asked = ModeSense {
        ten,
        dbd: flags & 128 != 0,
        control: PageControl::Current,
        page: page & 0x3F,
        subpage,
        alloc_len: 0,
    };
    for control in [
        PageControl::Current,
        PageControl::Changeable,
        PageControl::Default,
        PageControl::Saved,
    ] {
        cut_is_a_prefix(usize::from(subpage), |out| {
            sense(&ModeSense { control, ..asked }, &device, out)
        });
    }
    let list = input.0;
    let request = ModeSelect {
        ten,
        pf: true,
        sp: false,
        list_len: list.len() as u32,
    };
    if let Ok(state) = select(&request, list, &device) {
        assert!(state.queue_alg <= 1 && state.qerr <= 3 && state.qerr != 2 && state.tst == now.tst);
        shown_can_be_sent_back(
            &ModeDevice {
                current: &state,
                saved: None,
                ..device
            },
            asked,
        );
    }
}

fn shown_can_be_sent_back(device: &ModeDevice<'_>, asked: ModeSense) {
    let mut list = vec![0; 512];
    let len = sense(
        &ModeSense {
            page: 0x3F,
            subpage: 0,
            ..asked
        },
        device,
        &mut list,
    )
    .expect("all pages");
    list.truncate(len);
    let request = ModeSelect {
        ten: asked.ten,
        pf: true,
        sp: false,
        list_len: len as u32,
    };
    assert_eq!(select(&request, &list, device), Ok(*device.current));
}
