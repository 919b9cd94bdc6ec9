// SPDX-License-Identifier: GPL-2.0-only

//! One I_T_L nexus: what a session sees at one LUN.

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::attention::UnitAttentions;
use crate::device::Device;
use crate::proto::sense::Sense;
use crate::target::Port;

/// A device at a LUN of a session.
#[pin_data]
pub struct Nexus {
    device: Arc<Device>,
    port: Arc<Port>,
    read_only: bool,
    #[pin]
    attentions: UnitAttentions,
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
