// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parameters of scst: Rust's module! can neither show one in /sys/module nor have one written at run time. Rust reads them
 * by kapi/params.rs.
 */
#include <linux/module.h>
#include "helpers.h"

struct scst_parameters scst_parameters = {
	.auto_cm_assignment = true,
};

#define PARAM(name, type, mode, text) \
	module_param_named(name, scst_parameters.name, type, mode); \
	MODULE_PARM_DESC(name, text)

PARAM(scst_threads, int, 0444, "Threads of the global pool, kept for those who read it: commands run where they arrive");
PARAM(scst_max_cmd_mem, int, 0444, "Megabytes for the data of all commands, kept for those who read it: data stays with the initiator");
PARAM(scst_max_dev_cmd_mem, int, 0444, "The same for one device");
PARAM(forcibly_close_sessions, bool, 0644, "Deleting an initiator group closes its sessions instead of failing");
PARAM(auto_cm_assignment, bool, 0644, "A new virtual device gets a LUN in the copy manager's target");
PARAM(async_lun_replace, bool, 0644, "Replacing a LUN does not wait for the commands of the device that goes");
PARAM(alua_invariant_check, bool, 0644, "Check the ALUA states whenever one changes");

MODULE_VERSION(SCST_INTERFACE_VERSION);

/* A parameter of any module, by name and type. */
static const struct kernel_param *find_param(struct module *mod, const char *name, const struct kernel_param_ops *ops)
{
	for (unsigned int i = 0; i < mod->num_kp; i++)
		if (!strcmp(mod->kp[i].name, name) && mod->kp[i].ops == ops)
			return &mod->kp[i];
	return NULL;
}

int *scst_helper_int_param(struct module *mod, const char *name)
{
	const struct kernel_param *kp = find_param(mod, name, &param_ops_int);

	return kp ? kp->arg : NULL;
}
EXPORT_SYMBOL_GPL(scst_helper_int_param);

bool *scst_helper_bool_param(struct module *mod, const char *name)
{
	const struct kernel_param *kp = find_param(mod, name, &param_ops_bool);

	return kp ? kp->arg : NULL;
}
EXPORT_SYMBOL_GPL(scst_helper_bool_param);
