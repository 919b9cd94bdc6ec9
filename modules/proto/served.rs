// SPDX-License-Identifier: GPL-2.0-only
//! Who carries a command out, and which standard it is from.

use super::device_type::DeviceType;
use super::opcode::{Op, OpDesc};

/// Who carries a command out, on the devices whose type has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedBy {
    /// The core, for every device.
    Core,
    /// The core, for a device with target port groups whose initiators may set their states.
    CoreIfAllowed,
    /// The device.
    Device,
    /// The device, where its blocks can be given back.
    ThinDevice,
}

impl ServedBy {
    /// Who carries `op` out.
    pub const fn of(op: Op) -> Self {
        use Op::*;
        match op {
            SetTargetPortGroups => Self::CoreIfAllowed,
            Unmap | GetLbaStatus => Self::ThinDevice,
            Reserve6
            | Reserve10
            | Release6
            | Release10
            | PrReadKeys
            | PrReadReservation
            | PrReportCapabilities
            | PrReadFullStatus
            | PrRegister
            | PrReserve
            | PrRelease
            | PrClear
            | PrPreempt
            | PrPreemptAndAbort
            | PrRegisterAndIgnore
            | PrRegisterAndMove
            | ReportLuns
            | ReportSupportedOpcodes
            | ReportSupportedTmFunctions
            | ReportTargetPortGroups => Self::Core,
            TestUnitReady | RequestSense | FormatUnit | Read6 | Write6 | Inquiry | ModeSelect6
            | ModeSense6 | StartStopUnit | SendDiagnostic | PreventAllow | ReadCapacity10
            | Read10 | Write10 | WriteAndVerify10 | Verify10 | SynchronizeCache10 | WriteSame10
            | ReadToc | GetConfiguration | GetEventStatus | LogSelect | LogSense
            | ReadDiscInformation | ReadTrackInformation | ModeSelect10 | ModeSense10 | Read16
            | CompareAndWrite | Write16 | WriteAndVerify16 | Verify16 | SynchronizeCache16
            | WriteSame16 | ReadCapacity16 | Read12 | Write12 | WriteAndVerify12 | Verify12 => {
                Self::Device
            }
        }
    }
}

/// Whether the core carries out `op`; `sets_port_groups` says whether initiators may set the states of port groups.
pub fn by_core(op: &OpDesc, sets_port_groups: impl FnOnce() -> bool) -> bool {
    match ServedBy::of(op.op) {
        ServedBy::Core => true,
        ServedBy::CoreIfAllowed => sets_port_groups(),
        ServedBy::Device | ServedBy::ThinDevice => false,
    }
}

/// Whether a device of `device_type` itself carries out `op`; `thin`: its blocks can be given back.
pub fn by_device(op: &OpDesc, device_type: DeviceType, thin: bool) -> bool {
    op.types.contains(device_type)
        && match ServedBy::of(op.op) {
            ServedBy::Device => true,
            ServedBy::ThinDevice => thin,
            ServedBy::Core | ServedBy::CoreIfAllowed => false,
        }
}

/// The standard that describes `op`, in a clause of the command's name.
pub const fn standard(op: Op) -> &'static str {
    use Op::*;
    match op {
        Reserve6 | Reserve10 | Release6 | Release10 => "SPC-2",
        ReadToc | GetConfiguration | GetEventStatus | ReadDiscInformation
        | ReadTrackInformation => "MMC-6",
        TestUnitReady
        | RequestSense
        | Inquiry
        | ModeSelect6
        | ModeSense6
        | ModeSelect10
        | ModeSense10
        | SendDiagnostic
        | LogSelect
        | LogSense
        | PrReadKeys
        | PrReadReservation
        | PrReportCapabilities
        | PrReadFullStatus
        | PrRegister
        | PrReserve
        | PrRelease
        | PrClear
        | PrPreempt
        | PrPreemptAndAbort
        | PrRegisterAndIgnore
        | PrRegisterAndMove
        | ReportLuns
        | ReportTargetPortGroups
        | ReportSupportedOpcodes
        | ReportSupportedTmFunctions
        | SetTargetPortGroups => "SPC-4",
        FormatUnit | Read6 | Write6 | StartStopUnit | PreventAllow | ReadCapacity10 | Read10
        | Write10 | WriteAndVerify10 | Verify10 | SynchronizeCache10 | WriteSame10 | Unmap
        | Read16 | CompareAndWrite | Write16 | WriteAndVerify16 | Verify16 | SynchronizeCache16
        | WriteSame16 | ReadCapacity16 | GetLbaStatus | Read12 | Write12 | WriteAndVerify12
        | Verify12 => "SBC-3",
    }
}
