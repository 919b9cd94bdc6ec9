// SPDX-License-Identifier: GPL-2.0-only
/* Parameters of scst_local; see scst/kapi/parameters.c. */
#include <linux/module.h>
#include "../scst/kapi/version.h"

static bool add_default_tgt = true;
module_param(add_default_tgt, bool, 0444);
MODULE_PARM_DESC(add_default_tgt, "Make target scst_local_tgt with session scst_local_host when the module is loaded");

MODULE_VERSION(SCST_INTERFACE_VERSION);
