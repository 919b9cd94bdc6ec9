// SPDX-License-Identifier: GPL-2.0-only

//! A command on a workqueue, with what is needed to carry it out there.

use scst::command::{Admitted, Command};
use scst::kapi::cmnd::Cmnd;
use scst::kapi::workq::Carrier;

/// A command and its errand.
pub(crate) struct Job<P> {
    pub(crate) cmd: Command<Admitted>,
    pub(crate) errand: P,
}

impl<P: Send + 'static> Carrier for Job<P> {
    type Rest = (<Command<Admitted> as Carrier>::Rest, P);

    fn is_aborted(&self) -> bool {
        self.cmd.is_aborted()
    }

    fn end_aborted(self) {
        let Self { cmd, errand } = self;
        // What it has begun is over before it ends.
        drop(errand);
        cmd.end_aborted();
    }

    fn split(self) -> (Cmnd, Self::Rest) {
        let (cmnd, rest) = self.cmd.split();
        (cmnd, (rest, self.errand))
    }

    fn join(cmnd: Cmnd, (rest, errand): Self::Rest) -> Self {
        Self {
            cmd: Command::join(cmnd, rest),
            errand,
        }
    }
}
