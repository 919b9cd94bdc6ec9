// SPDX-License-Identifier: GPL-2.0-only

//! `trace_cmds` and `trace_mcmds`: what is under way, for somebody who wants to know what everything waits for.

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::core::Core;
use crate::kapi::sysfs::Page;
use crate::target::Session;

/// The commands that came in and were not yet given back, a line for each.
pub(super) fn commands(core: &Core, page: &mut Page<'_>) -> Result {
    for session in all_sessions(core)?.iter() {
        let Some(ops) = session.ops() else { continue };
        let told = ops.list_commands(&mut |sent| {
            name(session, page);
            page.print(fmt!(" LUN {}, {} ms:", sent.lun, sent.age_ms));
            for byte in sent.cdb {
                page.print(fmt!(" {byte:02x}"));
            }
            page.push(b"\n");
        });
        if !told {
            name(session, page);
            page.push(b": LUNs come or go\n");
        }
    }
    Ok(())
}

/// The sessions whose initiators abort commands or reset units, a line for each.
pub(super) fn management(core: &Core, page: &mut Page<'_>) -> Result {
    for session in all_sessions(core)?.iter() {
        let Some(ops) = session.ops() else { continue };
        if ops.is_recovering() == Some(true) {
            name(session, page);
            page.push(b": error handling\n");
        }
    }
    Ok(())
}

fn name(session: &Session, page: &mut Page<'_>) {
    let (target, session) = (session.target.as_str(), session.name().as_str());
    page.print(fmt!("{target} {session}"));
}

fn all_sessions(core: &Core) -> Result<KVec<Arc<Session>>> {
    let admin = core.admin();
    let mut list = KVec::new();
    for session in admin.sessions() {
        list.push(session.clone(), GFP_KERNEL)?;
    }
    Ok(list)
}
