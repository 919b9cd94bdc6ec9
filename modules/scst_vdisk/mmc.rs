// SPDX-License-Identifier: GPL-2.0-only

//! The commands of a CD-ROM drive (MMC-6).

use kernel::prelude::*;

use scst::command::{Admitted, Command, Outcome};
use scst::execute::cut;
use scst::kapi::file::Transfer;
use scst::kapi::global;
use scst::kapi::livemap::Live;
use scst::proto::capacity::Capacity;
use scst::proto::cdb::{Command as Cdb, ModeSelect};
use scst::proto::device_type::DeviceType;
use scst::proto::mmc::{self, Drive, MediaStatus};
use scst::proto::opcode::Flags;
use scst::proto::range::{byte_range, ByteRange};
use scst::proto::sense::Sense;

use crate::cdrom::{Cdrom, Disc, Tray, BLOCK_SHIFT};
use crate::fileio;
use crate::job::Job;
use crate::removal::prevent_allow;
use crate::store::{check, failed, finish, taken, Check, Io};
use crate::unit::{log, sense_data, Face, ModeFace};

/// Room for the longest answer of a drive: its configuration.
const ANSWER_MAX: usize = 128;

impl Cdrom {
    /// Carries a command out and finishes it, here or later.
    pub(crate) fn execute(&self, cmd: Command<Admitted>) {
        let (command, flags) = (cmd.decoded().command, cmd.decoded().op.flags);
        if let Cdb::ModeSelect(request) = command {
            if let Some(cmd) = self.unit.put_off(cmd, &request) {
                self.mode_select(cmd, &request);
            }
            return;
        }
        if !flags.has(Flags::MEDIUM) {
            let outcome = self.answer(&cmd, command);
            return cmd.finish(outcome);
        }
        let disc = match self.disc_for(&cmd) {
            Ok(disc) => disc,
            Err(sense) => return cmd.finish(sense.into()),
        };
        match command {
            Cdb::Read { lba, blocks, .. } => self.read(cmd, disc, lba, blocks),
            Cdb::Verify {
                lba,
                blocks,
                compare,
            } => self.verify(cmd, disc, (lba, blocks), check(compare)),
            other => {
                let outcome = answer_of_disc(&cmd, &disc, other);
                cmd.finish(outcome);
            }
        }
    }

    fn read(&self, cmd: Command<Admitted>, disc: Live<Disc>, lba: u64, blocks: u32) {
        let range = match byte_range(lba, blocks, BLOCK_SHIFT, disc.blocks()) {
            Ok(range) if range.len > 0 => range,
            other => return finish(cmd, other.map(|_| ()).map_err(Outcome::Check)),
        };
        let errand = (disc, range, lba);
        self.queue.run(Job { cmd, errand }, |job| {
            let Job { cmd, errand } = job;
            let (disc, range, lba) = errand;
            let io = Io {
                way: Transfer::Read,
                range,
                durable: false,
            };
            let result = fileio::move_data(&disc.file, cmd.cmnd(), io);
            finish(cmd, result.map_err(|e| not_read(e, lba)));
        });
    }

    fn verify(
        &self,
        cmd: Command<Admitted>,
        disc: Live<Disc>,
        (lba, blocks): (u64, u32),
        check: Check,
    ) {
        let range = match byte_range(lba, blocks, BLOCK_SHIFT, disc.blocks()) {
            Ok(range) if range.len > 0 => range,
            other => return finish(cmd, other.map(|_| ()).map_err(Outcome::Check)),
        };
        let errand: (Live<Disc>, ByteRange, Check) = (disc, range, check);
        self.queue.run(Job { cmd, errand }, |job| {
            let Job { cmd, errand } = job;
            let (disc, range, check) = errand;
            let result = fileio::compare(&disc.file, &cmd, range, check);
            finish(cmd, result);
        });
    }

    /// Answers a command that needs no disc, or refuses it.
    fn answer(&self, cmd: &Command<Admitted>, command: Cdb) -> Outcome {
        match command {
            Cdb::SendDiagnostic { .. } => taken(cmd),
            Cdb::RequestSense { desc, alloc_len } => {
                let sense = self.disc().err().unwrap_or(Sense::NO_SENSE);
                sense_data(cmd, &sense, desc, alloc_len)
            }
            Cdb::Inquiry {
                evpd,
                page,
                alloc_len,
            } => self.inquiry(cmd, evpd.then_some(page), alloc_len),
            Cdb::ModeSense(request) => self.unit.mode_sense(cmd, &request, &self.mode_face()),
            Cdb::PreventAllow { prevent } => prevent_allow(cmd, prevent),
            Cdb::StartStopUnit {
                power, loej, start, ..
            } => self.start_stop(cmd, power, (loej, start)),
            Cdb::GetConfiguration {
                request,
                feature,
                alloc_len,
            } => {
                let loaded = self.disc().is_ok();
                respond(cmd, alloc_len, |out| {
                    mmc::configuration(request, feature, Drive { loaded }, out)
                })
            }
            Cdb::GetEventStatus {
                polled,
                classes,
                alloc_len,
            } => self.event_status(cmd, polled, classes, alloc_len),
            Cdb::LogSense { .. } | Cdb::LogSelect { .. } => log(cmd, command),
            _ => cmd.decoded().op.not_supported().into(),
        }
    }

    fn inquiry(&self, cmd: &Command<Admitted>, page: Option<u8>, alloc_len: u32) -> Outcome {
        let face = Face {
            device_type: DeviceType::CdRom,
            not_connected: false,
            removable: true,
            volatile_cache: true,
            block: None,
        };
        self.unit.inquiry(cmd, page, alloc_len, &face)
    }

    fn mode_face(&self) -> ModeFace {
        ModeFace {
            device_type: DeviceType::CdRom,
            block_size: 1 << BLOCK_SHIFT,
            blocks: self.disc().map_or(0, |disc| disc.blocks()),
            locked: global::core().is_ok_and(|core| self.unit.is_locked(&core)),
            wce_changeable: false,
        }
    }

    /// MODE SELECT.
    pub(crate) fn mode_select(&self, cmd: Command<Admitted>, request: &ModeSelect) {
        let result = self.unit.mode_select(&cmd, request, &self.mode_face());
        finish(cmd, result.map(|_| ()).map_err(Outcome::Check));
    }

    /// START STOP UNIT: the tray. There is nothing to spin up or down, and no power condition to be in.
    fn start_stop(&self, cmd: &Command<Admitted>, power: u8, loej_start: (bool, bool)) -> Outcome {
        let result = match (power, loej_start) {
            (0, (true, false)) => self.eject(),
            (0, (true, true)) => self.load(cmd.nexus()),
            (0, (false, true)) => self.disc().map(|_| ()),
            _ => Ok(()),
        };
        result.map_or_else(Outcome::Check, |()| Outcome::Good(0))
    }

    fn event_status(
        &self,
        cmd: &Command<Admitted>,
        polled: bool,
        classes: u8,
        alloc_len: u32,
    ) -> Outcome {
        let status = MediaStatus {
            open: self.tray() == Tray::Open,
            present: self.disc().is_ok(),
        };
        let event = if polled && mmc::tells_media(classes, alloc_len) {
            cmd.nexus().drive().take_event()
        } else {
            mmc::MediaEvent::None
        };
        respond(cmd, alloc_len, |out| {
            mmc::event_status(polled, classes, event, status, out)
        })
    }
}

/// How a read from block `lba` on ends that the image failed. Linux takes a sense that names no block for one that names block 0.
fn not_read(error: Error, lba: u64) -> Outcome {
    match failed(Transfer::Read, error) {
        Outcome::Check(sense) => sense.with_information(lba).into(),
        other => other,
    }
}

/// Answers a command about the disc, or refuses it.
fn answer_of_disc(cmd: &Command<Admitted>, disc: &Disc, command: Cdb) -> Outcome {
    let blocks = u32::try_from(disc.blocks()).unwrap_or(u32::MAX);
    match command {
        Cdb::TestUnitReady => Outcome::Good(0),
        // Nothing is written, so nothing waits to be.
        Cdb::SynchronizeCache { lba, blocks, .. } => {
            let range = byte_range(lba, blocks, BLOCK_SHIFT, disc.blocks());
            range.map_or_else(Outcome::Check, |_| Outcome::Good(0))
        }
        Cdb::ReadCapacity10 => {
            let capacity = Capacity {
                blocks: disc.blocks(),
                block_size: 1 << BLOCK_SHIFT,
                physical_exponent: 0,
                lowest_aligned: 0,
                lbpme: false,
                lbprz: false,
            };
            respond(cmd, 8, |out| Ok(capacity.read_capacity_10(out)))
        }
        Cdb::ReadToc {
            msf,
            format,
            track,
            alloc_len,
        } => respond(cmd, alloc_len, |out| {
            mmc::toc(msf, format, track, blocks, out)
        }),
        Cdb::ReadDiscInformation {
            data_type,
            alloc_len,
        } => respond(cmd, alloc_len, |out| mmc::disc_information(data_type, out)),
        Cdb::ReadTrackInformation {
            kind,
            address,
            alloc_len,
        } => respond(cmd, alloc_len, |out| {
            mmc::track_information(kind, address, blocks, out)
        }),
        _ => cmd.decoded().op.not_supported().into(),
    }
}

/// Ends a command with what `write` writes, cut to `alloc_len`.
fn respond(
    cmd: &Command<Admitted>,
    alloc_len: u32,
    write: impl FnOnce(&mut [u8]) -> Result<usize, Sense>,
) -> Outcome {
    let mut buf = [0; ANSWER_MAX];
    match write(cut(&mut buf, alloc_len)) {
        Ok(n) => cmd.respond(buf.get(..n).unwrap_or(&[])),
        Err(sense) => sense.into(),
    }
}
