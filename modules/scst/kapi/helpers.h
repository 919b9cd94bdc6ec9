/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Rust sees of the SCSI midlayer beyond include/scsi/ itself: the functions there that C inlines, as real ones,
 * and the few of other headers that the kernel crate does not wrap. A line or a few each, no logic but bio_list_take's.
 */
#ifndef SCST_KAPI_HELPERS_H
#define SCST_KAPI_HELPERS_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/percpu-refcount.h>
#include <linux/sched/mm.h>
#include <linux/uio.h>
#include <scsi/scsi.h>
#include <scsi/scsi_cmnd.h>
#include <scsi/scsi_dbg.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_host.h>
#include <scsi/scsi_tcq.h>
#include "version.h"
#include <scsi/scsi_eh.h>

void *scst_helper_cmd_priv(struct scsi_cmnd *cmd);
u32 scst_helper_blk_mq_unique_tag(struct scsi_cmnd *cmd);
int scst_helper_add_host(struct Scsi_Host *host, struct device *dev);
bool scst_helper_percpu_ref_tryget_live(struct percpu_ref *ref);
void scst_helper_percpu_ref_get(struct percpu_ref *ref);
void scst_helper_percpu_ref_put(struct percpu_ref *ref);
unsigned int scst_helper_memalloc_noio_save(void);
void scst_helper_memalloc_noio_restore(unsigned int flags);
loff_t scst_helper_file_size(struct file *file);
int scst_helper_file_mode_type(struct file *file);
u32 scst_helper_bdev_logical_block_size(struct block_device *bdev);
u32 scst_helper_bdev_physical_block_size(struct block_device *bdev);
u32 scst_helper_bdev_io_opt(struct block_device *bdev);
u64 scst_helper_bdev_nr_bytes(struct block_device *bdev);
bool scst_helper_bdev_write_cache(struct block_device *bdev);
bool scst_helper_bdev_read_only(struct block_device *bdev);
u32 scst_helper_bdev_max_discard_sectors(struct block_device *bdev);
int scst_helper_bdev_alignment_offset(struct block_device *bdev);
u32 scst_helper_bdev_discard_granularity(struct block_device *bdev);
u32 scst_helper_bdev_dma_alignment(struct block_device *bdev);
void scst_helper_init_work(struct work_struct *work, work_func_t fn);
int scst_helper_device_set_name(struct device *dev, const char *name);
struct file *scst_helper_bdev_file_open_excl(const char *path, bool writable, void *holder);
struct kobject *scst_helper_kernel_kobj(void);
struct page *scst_helper_sg_page(struct scatterlist *sg);
int scst_helper_xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
int scst_helper_xa_replace(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp, void **old);
u64 *scst_helper_counters_alloc(size_t count);
void scst_helper_counters_free(u64 *counters);
void scst_helper_counters_add(u64 *counters, size_t at, u64 a, u64 b, u64 c);
u64 scst_helper_counters_sum(u64 *counters, size_t at);
void scst_helper_sysfs_attr_init(struct attribute *attr);
bool scst_helper_host_hold(struct Scsi_Host *host);
void scst_helper_take_faults(struct task_struct *from);
void scst_helper_give_faults_back(struct task_struct *to);
void scst_helper_host_settle(struct Scsi_Host *host);
bool scst_helper_host_in_recovery(struct Scsi_Host *host);
void scst_helper_host_let_go(struct Scsi_Host *host);
/* The parameters of scst, as module_param fills them. */
struct scst_parameters {
	int scst_threads;
	int scst_max_cmd_mem;
	int scst_max_dev_cmd_mem;
	bool forcibly_close_sessions;
	bool auto_cm_assignment;
	bool async_lun_replace;
	bool alua_invariant_check;
};
extern struct scst_parameters scst_parameters;

int *scst_helper_int_param(struct module *mod, const char *name);
bool *scst_helper_bool_param(struct module *mod, const char *name);
unsigned long scst_helper_percpu_ref_users(struct percpu_ref *ref);
const char *scst_helper_kernel_release(void);
const char *scst_helper_kernel_machine(void);
unsigned long scst_helper_memory_mb(void);
struct fs_struct *scst_helper_fs_copy(void);
void scst_helper_fs_free(struct fs_struct *fs);
struct fs_struct *scst_helper_fs_init(void);
struct fs_struct *scst_helper_fs_swap(struct fs_struct *fs);
const struct cred *scst_helper_get_current_cred(void);
const struct cred *scst_helper_override_creds(const struct cred *cred);
void scst_helper_put_cred(const struct cred *cred);
void scst_helper_host_mend(struct Scsi_Host *host);
struct file *scst_helper_file_reopen(struct file *found, int flags);
int scst_helper_file_truncate(struct file *file);
int scst_helper_file_unlink(struct file *file);
void scst_helper_file_close(struct file *file);
void scst_helper_bdev_file_close(struct file *file);
struct scatterlist *scst_helper_sg_next(struct scatterlist *sg);
void scst_helper_file_direct_units(struct file *file, u32 *memory, u32 *length);
void scst_helper_file_forget(struct file *file, loff_t first, loff_t last);
struct bio_list *scst_helper_bio_list_take(void);
void scst_helper_bio_list_give_back(struct bio_list *list);
errseq_t scst_helper_file_sample_error(struct file *file);
int scst_helper_file_check_error(struct file *file, errseq_t since);
bool scst_helper_bdev_stable_writes(struct block_device *bdev);
bool scst_helper_file_stable_writes(struct file *file);
bool scst_helper_cmnd_stable_writes(struct scsi_cmnd *cmd);
void scst_helper_limits_stable_writes(struct queue_limits *limits);
int scst_helper_punch_hole(struct file *file, loff_t pos, loff_t len);
int scst_helper_file_sync(struct file *file, loff_t first, loff_t last);
void scst_helper_iocb_init(struct kiocb *iocb, struct file *file, bool write, bool durable);
ssize_t scst_helper_iocb_submit(struct kiocb *iocb, struct iov_iter *iter, bool write);
bool scst_helper_iocb_is_durable(struct kiocb *iocb);
void scst_helper_iocb_finish(struct kiocb *iocb);
unsigned int scst_helper_local_throttle_enter(void);
void scst_helper_local_throttle_leave(unsigned int flags);

#endif
