// SPDX-License-Identifier: GPL-2.0-only
/* Parameters of scst_vdisk; see scst/kapi/parameters.c. */
#include <linux/module.h>
#include "../scst/kapi/version.h"

static int num_threads = 8;
module_param(num_threads, int, 0444);
MODULE_PARM_DESC(num_threads, "Commands that one vdisk_fileio device runs at once");

MODULE_VERSION(SCST_INTERFACE_VERSION);
