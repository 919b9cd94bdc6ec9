// SPDX-License-Identifier: GPL-2.0-only

//! What reading and writing the files of a disk does.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;

use scst::kapi::sysfs::{Attributes, Page};
use scst::proto::mgmt;

use crate::attrs::{filename, flag, number, File};
use crate::disk::Disk;
use crate::handler::{Kind, NULLIO_SIZE};
use crate::params::{errno, SIZE_MAX};
use crate::store::Store;

impl<S: Store> Attributes for Disk<S> {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        let file = File::from_id(id)?;
        match file {
            File::Blocksize => number(self.block_size().into(), self.block_shift != 9, page),
            File::Filename => {
                let path = self.filename.as_ref().map(|path| path.to_str());
                filename(path.transpose()?, page);
            }
            File::LbPerPbExp => flag(self.lb_per_pb_exp.load(Relaxed), true, page),
            File::NvCache => flag(self.nv_cache, false, page),
            File::OptTransLen => {
                number(
                    self.opt_trans_len.load(Relaxed).into(),
                    self.opt_trans_len_set.load(Relaxed),
                    page,
                );
            }
            File::ReadOnly => flag(self.read_only, false, page),
            File::ReadZero => flag(self.store.read_zero(), false, page),
            File::Removable => flag(self.removable, false, page),
            File::Rotational => flag(self.rotational, true, page),
            File::Size => number(
                self.size(),
                self.unit.kind != Kind::Null || self.size() != NULLIO_SIZE,
                page,
            ),
            File::SizeMb => number(self.size() >> 20, false, page),
            File::WriteThrough => flag(self.writes_through(), false, page),
            _ if self.unit.show(file, page) => {}
            _ => return Err(EIO),
        }
        Ok(())
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let text = core::str::from_utf8(data).map_err(|_| EINVAL)?.trim_end();
        match File::from_id(id)? {
            File::LbPerPbExp => self.set_lb_per_pb_exp(mgmt::flag(text).map_err(errno)?),
            File::OptTransLen => self.set_opt_trans_len(text),
            File::ReadZero => self.store.set_read_zero(mgmt::flag(text).map_err(errno)?),
            File::ResyncSize => self.resync(),
            File::Size => self.set_size(mgmt::number_to(text, SIZE_MAX).map_err(errno)?),
            File::SizeMb => {
                self.set_size(mgmt::number_to(text, SIZE_MAX >> 20).map_err(errno)? << 20)
            }
            File::Sync => self.store.sync(),
            // The store is open for as long as the disk is there.
            File::Filename => Err(EINVAL),
            file => self.unit.store(file, text),
        }
    }
}

impl<S: Store> Disk<S> {
    /// Whether writes end on stable storage because the disk was asked for that, and not because it has no cache.
    fn writes_through(&self) -> bool {
        if self.nv_cache {
            self.write_through
        } else {
            !self.unit.mode.wce()
        }
    }

    fn set_opt_trans_len(&self, text: &str) -> Result {
        let bytes = mgmt::number_to(text, u32::MAX.into()).map_err(errno)?;
        if !self.is_whole_blocks(bytes) {
            return Err(EINVAL);
        }
        self.opt_trans_len.store(bytes as u32, Relaxed);
        self.opt_trans_len_set.store(true, Relaxed);
        self.unit.identity_changed()
    }

    fn set_lb_per_pb_exp(&self, on: bool) -> Result {
        self.lb_per_pb_exp.store(on, Relaxed);
        self.unit.identity_changed()
    }

    /// Gives the disk another size: not more than its store has.
    fn set_size(&self, bytes: u64) -> Result {
        if !self.is_whole_blocks(bytes)
            || self.store.size().is_some_and(|there_are| bytes > there_are)
        {
            return Err(EINVAL);
        }
        self.resize(bytes)
    }

    /// Takes the store's size over.
    fn resync(&self) -> Result {
        match self.store.size() {
            Some(bytes) => self.resize(bytes),
            None => Ok(()),
        }
    }

    fn is_whole_blocks(&self, bytes: u64) -> bool {
        bytes & u64::from(self.block_size().wrapping_sub(1)) == 0
    }
}
