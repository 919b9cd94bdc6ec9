// SPDX-License-Identifier: GPL-2.0-only

//! Reading back: VERIFY, and the second half of WRITE AND VERIFY.

use kernel::prelude::*;

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::bdev::Bounce;
use scst::kapi::cmnd::Cmnd;
use scst::kapi::file::Transfer;
use scst::proto::range::ByteRange;
use scst::proto::sense::Sense;
use scst::proto::status::Status;

use crate::store::{failed, Check};

/// Reads `range` in pieces by `read`, which fills its buffer from an offset on, and checks each. Sleeps.
pub(crate) fn read_back(
    cmd: &Command<Admitted>,
    range: ByteRange,
    check: Check,
    block_size: u32,
    mut read: impl FnMut(u64, &mut Bounce) -> Result,
) -> Result<(), Outcome> {
    let mut at: u64 = 0;
    while at < range.len {
        // A disk's worth of reading must not outlast the initiator's patience.
        if cmd.is_aborted() {
            return Err(Outcome::Status(Status::TaskAborted));
        }
        let left = usize::try_from(range.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let piece = Bounce::new(left, block_size).and_then(|mut piece| {
            read(range.offset.saturating_add(at), &mut piece)?;
            Ok(piece)
        });
        let piece = piece.map_err(|e| failed(Transfer::Read, e))?;
        if check == Check::Equal && !same(cmd.cmnd(), at, piece.bytes()) {
            return Err(Sense::MISCOMPARE.into());
        }
        at = at.saturating_add(piece.bytes().len() as u64);
    }
    Ok(())
}

/// Bytes of the initiator's buffer that are looked at together.
const STEP: usize = 256;

/// Whether the initiator's buffer holds `data` from byte `at` on.
fn same(cmnd: &Cmnd, at: u64, data: &[u8]) -> bool {
    let mut offset = usize::try_from(at).unwrap_or(usize::MAX);
    data.chunks(STEP).all(|expected| {
        let mut buf = [0; STEP];
        let sent = buf.get_mut(..expected.len()).unwrap_or_default();
        let complete = cmnd.copy_from_buffer(offset, sent) == sent.len();
        offset = offset.saturating_add(sent.len());
        complete && sent == expected
    })
}
