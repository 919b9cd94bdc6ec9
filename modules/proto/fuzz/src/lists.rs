// SPDX-License-Identifier: GPL-2.0-only
//! Parameter lists of UNMAP and PERSISTENT RESERVE OUT, GET LBA STATUS, and ranges of blocks.

use proto::lun::{decode, encode, AddrMethod, MAX_LUN};
use proto::pr_list::{self, Action};
use proto::range::byte_range;
use proto::sense::SenseKey;
use proto::unmap::{lba_status, unmap_list, Status};

use super::input::Input;

pub fn any(data: &[u8]) {
    let mut input = Input(data);
    match input.u8() % 5 {
        0 => unmap(&mut input),
        1 => reserve_out(&mut input),
        2 => status(&mut input),
        3 => range(&mut input),
        _ => lun(&mut input),
    }
}

fn unmap(input: &mut Input<'_>) {
    let most = input.u32();
    match unmap_list(input.0, most) {
        Ok(ranges) => assert!(ranges.map(|r| u64::from(r.count)).sum::<u64>() <= u64::from(most)),
        Err(sense) => assert_eq!(sense.key, SenseKey::IllegalRequest),
    }
}

fn reserve_out(input: &mut Input<'_>) {
    let (action, scope, kind) = (input.u8() & 7, input.u8(), input.u8());
    let Some(action) = Action::from_code(action) else {
        return;
    };
    match pr_list::parse(action, scope, kind, input.0) {
        Ok(request) => {
            let ids = request.ids.into_iter().flatten().count();
            assert!(ids * 24 <= input.0.len());
        }
        Err(sense) => assert_eq!(sense.key, SenseKey::IllegalRequest),
    }
}

fn status(input: &mut Input<'_>) {
    let (lba, blocks, room) = (input.u64(), input.u64(), usize::from(input.u16()));
    let mut out = vec![0xEE; room];
    let rest = &mut *input;
    let said = |_| {
        Ok::<_, ()>((
            if rest.bit() {
                Status::Mapped
            } else {
                Status::Deallocated
            },
            rest.u64(),
        ))
    };
    match lba_status(lba, blocks, said, &mut out) {
        Ok(Ok(stored)) => assert!(stored <= room && lba < blocks),
        Ok(Err(sense)) => assert!(sense.key == SenseKey::IllegalRequest && lba >= blocks),
        Err(()) => unreachable!("nothing fails here"),
    }
}

fn range(input: &mut Input<'_>) {
    let (lba, blocks, shift, capacity) =
        (input.u64(), input.u32(), u32::from(input.u8()), input.u64());
    let end = u128::from(lba) + u128::from(blocks);
    let fits = end <= u128::from(capacity) && shift < 64 && end << shift <= u128::from(u64::MAX);
    assert_eq!(byte_range(lba, blocks, shift, capacity).is_ok(), fits);
}

fn lun(input: &mut Input<'_>) {
    let field = input.u64().to_be_bytes();
    if let Some(lun) = decode(&field) {
        assert!(lun <= MAX_LUN);
        assert_eq!(decode(&encode(lun, AddrMethod::LogicalUnit)), Some(lun));
    }
}
