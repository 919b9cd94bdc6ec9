// SPDX-License-Identifier: GPL-2.0-only

//! What reading and writing the files of a disk does.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;

use scst::attention::Precedence;
use scst::kapi::global;
use scst::kapi::sysfs::{Attributes, Page};
use scst::proto::mgmt;
use scst::proto::sense::Sense;

use crate::attrs::{filename, flag, number, File};
use crate::disk::Disk;
use crate::handler::{Kind, NULLIO_SIZE};
use crate::params::{errno, no_cluster, SIZE_MAX};
use crate::store::Store;

impl<S: Store> Attributes for Disk<S> {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        let file = File::from_id(id)?;
        match file {
            File::Blocksize => number(self.block_size().into(), self.block_shift != 9, page),
            File::Active => flag(self.store.is_open(), true, page),
            File::Async => flag(self.store.is_async(), false, page),
            File::BindAluaState => {
                let binds_by_default = self.unit.kind == Kind::Block;
                flag(self.bind_alua_state.load(Relaxed), binds_by_default, page);
            }
            File::ClusterMode => flag(false, false, page),
            File::Dummy => flag(self.dummy, false, page),
            File::ExplAlua => flag(self.expl_alua.load(Relaxed), false, page),
            File::Filename => {
                let path = self.filename.lock();
                filename(path.as_ref().map(|path| path.to_str()).transpose()?, page);
            }
            File::ODirect => flag(self.o_direct, false, page),
            File::ThinProvisioned => number(self.thin.into(), self.thin_given, page),
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
            File::Active => match mgmt::flag(text).map_err(errno)? {
                true => self.activate(),
                false => self.deactivate().map(drop),
            },
            File::Async => self.store.set_async(mgmt::flag(text).map_err(errno)?),
            File::BindAluaState => {
                self.bind_alua_state.store(is_not_zero(text)?, Relaxed);
                Ok(())
            }
            File::ClusterMode => no_cluster(is_not_zero(text)?),
            File::ExplAlua => {
                let on = is_not_zero(text)?;
                if self.expl_alua.xchg(on, Relaxed) != on {
                    self.unit.identity_changed()?;
                }
                Ok(())
            }
            File::Filename => self.rename_store(text.trim()),
            File::GenTpThreshold => self.threshold_reached(),
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

    /// Gives the disk another size, which it keeps when its store is opened again: not more than its store has.
    fn set_size(&self, bytes: u64) -> Result {
        if !self.is_whole_blocks(bytes)
            || self.store.size().is_some_and(|there_are| bytes > there_are)
        {
            return Err(EINVAL);
        }
        let blocks = bytes.wrapping_shr(self.block_shift);
        self.most_blocks.store(blocks, Relaxed);
        self.resize(bytes)
    }

    /// Takes the store's size over. `EMEDIUMTYPE` where it is not open.
    fn resync(&self) -> Result {
        let bytes = self.store.size().ok_or(EMEDIUMTYPE)?;
        self.most_blocks.store(u64::MAX, Relaxed);
        self.resize(bytes)
    }

    /// Tells the initiators that a thin disk has little room left.
    fn threshold_reached(&self) -> Result {
        global::core()?.for_each_nexus(self.unit.name(), &mut |nexus| {
            nexus
                .unit_attentions()
                .raise(Sense::THIN_THRESHOLD_REACHED, Precedence::Last);
        });
        Ok(())
    }

    fn is_whole_blocks(&self, bytes: u64) -> bool {
        bytes & u64::from(self.block_size().wrapping_sub(1)) == 0
    }
}

/// SCST takes any number for a flag here.
fn is_not_zero(text: &str) -> Result<bool> {
    Ok(mgmt::number(text).map_err(errno)? != 0)
}
