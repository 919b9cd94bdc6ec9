// SPDX-License-Identifier: GPL-2.0-only

//! Mode parameters that outlive a reset, and the machine: kept in a file for each device, if there is a place for them. What
//! was kept before stands beside it as `.1`, and counts where the file itself is not whole. No device has a name with a dot.

use kernel::prelude::*;
use kernel::str::{CStr, CString};
use kernel::sync::{new_mutex, Arc, Mutex};

use scst::execute::cut;
use scst::kapi::state_file;
use scst::mode::Mode;
use scst::proto::mode::ModeState;
use scst::proto::mode_file;

/// Where the files are. Without this directory nothing is saved.
const DIRECTORY: &str = "/var/lib/scst/vdev_mode_pages";

/// What a device has saved.
#[pin_data]
pub(crate) struct Saved {
    /// The device's name, which is the file's.
    name: CString,
    path: CString,
    previous: CString,
    default: ModeState,
    /// The parameters in the file, or those of a new device.
    state: Mode,
    /// Held while the file is written.
    #[pin]
    turn: Mutex<()>,
}

impl Saved {
    /// What the device `name` saved when it was here before; `default` where it did not. `None` where nothing can be
    /// saved. Sleeps.
    pub(crate) fn load(name: &str, default: &ModeState) -> Result<Option<Arc<Self>>> {
        let path = CString::try_from_fmt(fmt!("{DIRECTORY}/{name}"))?;
        if !state_file::has_parent(&path)? {
            return Ok(None);
        }
        let previous = CString::try_from_fmt(fmt!("{DIRECTORY}/{name}.1"))?;
        let kept = |path: &CStr| match state_file::read(path, mode_file::MAX) {
            Ok(text) => Ok(parse(name, &text, default)),
            Err(e) if e == ENOENT || e == ENOMEM => Err(e),
            Err(_) => Ok(None),
        };
        let state = match kept(&path) {
            Err(ENOENT) => Some(*default),
            Ok(None) => match kept(&previous) {
                Err(ENOENT) => None,
                other => other?,
            },
            other => other?,
        };
        let state = state.unwrap_or_else(|| {
            pr_warn!("{name}: {DIRECTORY}/{name} holds no mode parameters of this device\n");
            *default
        });
        let this = try_pin_init!(Self {
            name: CString::try_from_fmt(fmt!("{name}"))?,
            path,
            previous,
            default: *default,
            state: Mode::new(&state),
            turn <- new_mutex!(()),
        }? Error);
        Ok(Some(Arc::pin_init(this, GFP_KERNEL)?))
    }

    /// The saved parameters.
    pub(crate) fn get(&self) -> ModeState {
        self.state.get()
    }

    /// Saves `state`. It is on stable storage when this returns. Sleeps.
    #[inline(never)] // Its buffer is not for the stack of others.
    pub(crate) fn keep(&self, state: &ModeState) -> Result {
        let name = self.name.to_str()?;
        let text = mode_file::write(name, state).ok_or(EINVAL)?;
        let mut bytes = [0; mode_file::MAX];
        let bytes = cut(&mut bytes, text.len() as u32);
        for (to, from) in bytes.iter_mut().zip(text.as_bytes()) {
            *to = *from;
        }
        // The beginning comes last: until then the file is nobody's.
        let head = bytes
            .first_chunk_mut::<{ state_file::MARK }>()
            .ok_or(EINVAL)?;
        let mark = core::mem::replace(head, [0; state_file::MARK]);
        let _turn = self.turn.lock();
        state_file::write_keeping(
            &self.path,
            &self.previous,
            (bytes, &mark),
            mode_file::MAX,
            |text| Ok(parse(name, text, &self.default).is_some()),
        )?;
        self.state.set(state);
        Ok(())
    }
}

/// The parameters in a file. One that asks for no cache at creation gets none, whatever it saved.
fn parse(name: &str, text: &[u8], default: &ModeState) -> Option<ModeState> {
    let text = core::str::from_utf8(text).ok()?;
    let state = mode_file::read(name, text, default)?;
    Some(ModeState {
        wce: state.wce && default.wce,
        ..state
    })
}
