// SPDX-License-Identifier: GPL-2.0-only

//! One I_T_L nexus: what a session sees at one LUN.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use crate::attention::UnitAttentions;
use crate::device::Device;
use crate::proto::mmc::MediaEvent;
use crate::proto::sense::Sense;
use crate::target::Port;

/// A device at a LUN of a session.
#[pin_data]
pub struct Nexus {
    device: Arc<Device>,
    port: Arc<Port>,
    read_only: bool,
    drive: Drive,
    #[pin]
    attentions: UnitAttentions,
}

/// What an initiator holds of a drive with a removable medium, and has still to hear of it. Any context.
pub struct Drive {
    prevents_removal: Atomic<bool>,
    /// A [`MediaEvent`].
    event: Atomic<i32>,
}

impl Drive {
    const fn new() -> Self {
        Self {
            prevents_removal: Atomic::new(false),
            event: Atomic::new(MediaEvent::None as i32),
        }
    }

    /// Whether this initiator keeps the medium from being removed.
    pub fn prevents_removal(&self) -> bool {
        self.prevents_removal.load(Relaxed)
    }

    /// The medium must not be removed.
    pub fn prevent_removal(&self) {
        self.prevents_removal.store(true, Relaxed);
    }

    /// The medium may be removed as far as this initiator is concerned.
    pub fn allow_removal(&self) {
        self.prevents_removal.store(false, Relaxed);
    }

    /// Something has happened to the medium.
    pub fn raise(&self, event: MediaEvent) {
        self.event.store(event as i32, Relaxed);
    }

    /// What has happened last since the last call.
    pub fn take_event(&self) -> MediaEvent {
        MediaEvent::from_code(self.event.xchg(MediaEvent::None as i32, Relaxed) as u8)
    }
}

impl Nexus {
    /// A nexus as it is when its LUN appears: with the power-on condition pending.
    pub(crate) fn new(
        device: Arc<Device>,
        port: Arc<Port>,
        read_only: bool,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device,
            port,
            read_only,
            drive: Drive::new(),
            attentions <- UnitAttentions::new(Sense::POWER_ON_RESET),
        }? Error)
    }

    /// The device.
    #[inline]
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// The target port that the commands come in by.
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// What the initiator holds of a removable medium.
    #[inline]
    pub fn drive(&self) -> &Drive {
        &self.drive
    }

    /// Whether commands that change the medium are refused: by the mapping, or by the device.
    #[inline]
    pub fn is_read_only(&self) -> bool {
        self.read_only || self.device.is_read_only()
    }

    /// Whether sense data goes in descriptor format (SPC-4 D_SENSE).
    #[inline]
    pub fn descriptor_sense(&self) -> bool {
        self.device.ops().descriptor_sense()
    }

    /// What the initiator has to be told.
    #[inline]
    pub fn unit_attentions(&self) -> &UnitAttentions {
        &self.attentions
    }
}
