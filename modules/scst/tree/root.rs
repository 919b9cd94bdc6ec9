// SPDX-License-Identifier: GPL-2.0-only

//! The files of the root.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use super::{refused, show_key, text, trace, VERSION};
use crate::freeze;
use crate::kapi::sysfs::{Attr, Attributes, Page};
use crate::kapi::{global, params, uts};
use crate::latency;
use crate::proto::mgmt;
use crate::proto::text::Text;

/// Default of `max_tasklet_cmd`.
const MAX_TASKLET_CMD: i32 = 10;

/// Bytes that a cluster's name stays below: the length of a DLM lock space's name.
const CLUSTER_NAME_MAX: usize = 63;

/// When the modules were built, and from what: given by the build, so that the same sources give the same modules.
const BUILD_DATE: Option<&str> = option_env!("SCST_BUILD_DATE");
const COMMIT: Option<&str> = option_env!("SCST_GIT_COMMIT");

/// One file.
#[derive(Clone, Copy)]
enum File {
    AsyncLunReplace,
    ClusterName,
    ForceGlobalSgvPool,
    LastSysfsMgmtRes,
    MaxTaskletCmd,
    MeasureLatency,
    PollUs,
    SetupId,
    Suspend,
    Threads,
    TraceCmds,
    TraceMcmds,
    Version,
}

use File::*;

impl File {
    /// Every file, at the place of its number.
    const ALL: [Self; 13] = [
        AsyncLunReplace,
        ClusterName,
        ForceGlobalSgvPool,
        LastSysfsMgmtRes,
        MaxTaskletCmd,
        MeasureLatency,
        PollUs,
        SetupId,
        Suspend,
        Threads,
        TraceCmds,
        TraceMcmds,
        Version,
    ];

    fn from_id(id: u16) -> Result<Self> {
        Self::ALL.get(usize::from(id)).copied().ok_or(EIO)
    }
}

const fn file(name: &'static CStr, mode: u16, file: File) -> Attr {
    Attr::new(name, mode, file as u16)
}

pub(super) static ROOT: &[Attr] = &[
    file(c"async_lun_replace", 0o644, AsyncLunReplace),
    file(c"cluster_name", 0o644, ClusterName),
    file(c"force_global_sgv_pool", 0o644, ForceGlobalSgvPool),
    file(c"last_sysfs_mgmt_res", 0o444, LastSysfsMgmtRes),
    file(c"max_tasklet_cmd", 0o644, MaxTaskletCmd),
    file(c"measure_latency", 0o644, MeasureLatency),
    file(c"poll_us", 0o644, PollUs),
    file(c"setup_id", 0o644, SetupId),
    file(c"suspend", 0o644, Suspend),
    Attr::managed(c"threads", 0o644, Threads as u16),
    file(c"trace_cmds", 0o444, TraceCmds),
    file(c"trace_mcmds", 0o444, TraceMcmds),
    file(c"version", 0o444, Version),
];

/// The values that nobody but those who configure them needs: most commands run where they arrive, so that there is nobody
/// to poll or to prefer; data stays with the initiator, so that there is no pool.
#[pin_data]
pub(super) struct Root {
    max_tasklet_cmd: Atomic<i32>,
    poll_us: Atomic<i64>,
    force_global_sgv_pool: Atomic<i32>,
    #[pin]
    cluster_name: Mutex<Text<CLUSTER_NAME_MAX>>,
}

impl Root {
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                max_tasklet_cmd: Atomic::new(MAX_TASKLET_CMD),
                poll_us: Atomic::new(0),
                force_global_sgv_pool: Atomic::new(0),
                cluster_name <- new_mutex!(Text::new()),
            }? Error),
            GFP_KERNEL,
        )
    }

    fn show_cluster_name(&self, page: &mut Page<'_>) {
        let name = self.cluster_name.lock();
        if !name.as_bytes().is_empty() {
            page.push(name.as_bytes());
            page.push(b"\n[key]\n");
        }
    }
}

impl Attributes for Root {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match File::from_id(id)? {
            AsyncLunReplace => {
                let on = u8::from(params::async_lun_replace());
                show_key(page, fmt!("{on}"), false)
            }
            ClusterName => {
                self.show_cluster_name(page);
                Ok(())
            }
            ForceGlobalSgvPool => {
                let value = self.force_global_sgv_pool.load(Relaxed) as u32;
                show_key(page, fmt!("{value}"), value != 0)
            }
            LastSysfsMgmtRes => {
                let result = global::core()?.works().last_result()?;
                show_key(page, fmt!("{result}"), false)
            }
            MaxTaskletCmd => {
                let value = self.max_tasklet_cmd.load(Relaxed);
                show_key(page, fmt!("{value}"), value != MAX_TASKLET_CMD)
            }
            MeasureLatency => {
                let on = u8::from(latency::MEASURE.load(Relaxed) != 0);
                show_key(page, fmt!("{on}"), false)
            }
            PollUs => {
                let value = self.poll_us.load(Relaxed);
                show_key(page, fmt!("{value}"), value != 0)
            }
            SetupId => {
                let setup_id = global::core()?.setup_id.load(Relaxed);
                show_key(page, fmt!("0x{setup_id:x}"), setup_id != 0)
            }
            Suspend => show_key(page, fmt!("{}", freeze::suspensions()), false),
            Threads => {
                let value = global::core()?.pool();
                show_key(page, fmt!("{value}"), value != params::scst_threads())
            }
            TraceCmds => trace::commands(&*global::core()?, page),
            TraceMcmds => trace::management(&*global::core()?, page),
            Version => {
                show_version(page);
                Ok(())
            }
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let text = text(data)?;
        let number = |max: u64| mgmt::number_to(text, max).map_err(refused);
        match File::from_id(id)? {
            AsyncLunReplace => params::set_async_lun_replace(mgmt::flag(text).map_err(refused)?),
            ClusterName => {
                let name = Text::copy_of(text).map_err(|_| EINVAL)?;
                *self.cluster_name.lock() = name;
            }
            ForceGlobalSgvPool => self
                .force_global_sgv_pool
                .store(number(u32::MAX.into())? as i32, Relaxed),
            MaxTaskletCmd => self
                .max_tasklet_cmd
                .store(number(i32::MAX as u64)? as i32, Relaxed),
            MeasureLatency => {
                let on = mgmt::signed(text).map_err(refused)? != 0;
                latency::MEASURE.store(on.into(), Relaxed);
            }
            PollUs => self.poll_us.store(number(i64::MAX as u64)? as i64, Relaxed),
            SetupId => global::core()?
                .setup_id
                .store(number(u32::MAX.into())? as i32, Relaxed),
            Suspend => return suspend(text),
            Threads => match number(i32::MAX as u64)? {
                0 => return Err(EINVAL),
                count => global::core()?.set_pool(count as i32)?,
            },
            LastSysfsMgmtRes | TraceCmds | TraceMcmds | Version => return Err(EIO),
        }
        Ok(())
    }
}

/// `n`: hold everything back, waiting up to `n` seconds for commands under way, 0 for ever. Below 0: go on.
fn suspend(text: &str) -> Result {
    let core = global::core()?;
    match mgmt::signed(text).map_err(refused)? {
        ..0 => core.resume(),
        seconds => core.suspend(u32::try_from(seconds).map_err(|_| ERANGE)?)?,
    }
    Ok(())
}

fn show_version(page: &mut Page<'_>) {
    page.print(fmt!("SCST version: {VERSION}\n"));
    page.print(fmt!("SCST build date: {}\n", BUILD_DATE.unwrap_or("")));
    page.print(fmt!("SCST build number: 0\n"));
    page.print(fmt!("SCST git commit sha1: {}\n", COMMIT.unwrap_or("")));
    page.print(fmt!("SCST kver: {}\n", uts::release()));
    page.print(fmt!("SCST arch type: {}\n", uts::machine()));
}
