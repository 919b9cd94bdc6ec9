// SPDX-License-Identifier: GPL-2.0-only
/* Real functions for what C inlines; see helpers.h. */
#include <linux/backing-dev.h>
#include <linux/blk-mq.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/falloc.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <linux/sched/task_stack.h>
#include <linux/utsname.h>
#include <linux/workqueue.h>
#include "helpers.h"

#define H(type, name, args, ...) \
	type scst_helper_##name args { __VA_ARGS__; } \
	EXPORT_SYMBOL_GPL(scst_helper_##name)

H(void *, cmd_priv, (struct scsi_cmnd *cmd), return scsi_cmd_priv(cmd));
H(u32, blk_mq_unique_tag, (struct scsi_cmnd *cmd), return blk_mq_unique_tag(scsi_cmd_to_rq(cmd)));
H(int, add_host, (struct Scsi_Host *host, struct device *dev), return scsi_add_host(host, dev));
H(bool, percpu_ref_tryget_live, (struct percpu_ref *ref), return percpu_ref_tryget_live(ref));
H(void, percpu_ref_get, (struct percpu_ref *ref), percpu_ref_get(ref));
H(void, percpu_ref_put, (struct percpu_ref *ref), percpu_ref_put(ref));
H(unsigned int, memalloc_noio_save, (void), return memalloc_noio_save());
H(void, memalloc_noio_restore, (unsigned int flags), memalloc_noio_restore(flags));
H(loff_t, file_size, (struct file *file), return i_size_read(file->f_mapping->host));
H(int, file_mode_type, (struct file *file), return file_inode(file)->i_mode & S_IFMT);
H(u32, bdev_logical_block_size, (struct block_device *bdev), return bdev_logical_block_size(bdev));
H(u32, bdev_physical_block_size, (struct block_device *bdev), return bdev_physical_block_size(bdev));
H(u32, bdev_io_opt, (struct block_device *bdev), return bdev_io_opt(bdev));
H(u64, bdev_nr_bytes, (struct block_device *bdev), return bdev_nr_bytes(bdev));
H(bool, bdev_write_cache, (struct block_device *bdev), return bdev_write_cache(bdev));
H(bool, bdev_read_only, (struct block_device *bdev), return bdev_read_only(bdev));
H(u32, bdev_max_discard_sectors, (struct block_device *bdev), return bdev_max_discard_sectors(bdev));
H(bool, bdev_stable_writes, (struct block_device *bdev), return bdev_stable_writes(bdev));
H(bool, file_stable_writes, (struct file *file),
  struct inode *inode = file->f_mapping->host;
  return S_ISBLK(inode->i_mode) ? bdev_stable_writes(I_BDEV(inode)) : mapping_stable_writes(inode->i_mapping));
H(bool, cmnd_stable_writes, (struct scsi_cmnd *cmd),
  return cmd->device->request_queue->limits.features & BLK_FEAT_STABLE_WRITES);
H(void, limits_stable_writes, (struct queue_limits *limits), limits->features |= BLK_FEAT_STABLE_WRITES);
H(int, bdev_alignment_offset, (struct block_device *bdev), return bdev_alignment_offset(bdev));
H(u32, bdev_discard_granularity, (struct block_device *bdev), return bdev_discard_granularity(bdev));
H(u32, bdev_dma_alignment, (struct block_device *bdev), return bdev_dma_alignment(bdev));
H(void, init_work, (struct work_struct *work, work_func_t fn), INIT_WORK(work, fn));
H(int, device_set_name, (struct device *dev, const char *name), return dev_set_name(dev, "%s", name));
H(struct file *, bdev_file_open_excl, (const char *path, bool writable, void *holder),
  return bdev_file_open_by_path(path, BLK_OPEN_READ | (writable ? BLK_OPEN_WRITE : 0), holder, NULL));
H(struct kobject *, kernel_kobj, (void), return kernel_kobj);
H(struct page *, sg_page, (struct scatterlist *sg), return sg_page(sg));
H(struct scatterlist *, sg_next, (struct scatterlist *sg), return sg_next(sg));
H(void, sysfs_attr_init, (struct attribute *attr), sysfs_attr_init(attr));
H(int, xa_insert, (struct xarray *xa, unsigned long index, void *entry, gfp_t gfp),
  return xa_insert(xa, index, entry, gfp));

int scst_helper_xa_replace(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp, void **old)
{
	*old = xa_store(xa, index, entry, gfp);
	return xa_err(*old);
}
EXPORT_SYMBOL_GPL(scst_helper_xa_replace);

/* Counters of which every CPU has its own. Rust knows no __percpu: the pointer is a cookie to it. */
#define PERCPU(counters) ((u64 __percpu *)(__force unsigned long)(counters))
H(u64 *, counters_alloc, (size_t count),
  return (u64 *)(__force unsigned long)__alloc_percpu(array_size(count, sizeof(u64)), sizeof(u64)));
H(void, counters_free, (u64 *counters), free_percpu(PERCPU(counters)));

/* Three neighbours at once: one call on the I/O path. */
void scst_helper_counters_add(u64 *counters, size_t at, u64 a, u64 b, u64 c)
{
	u64 __percpu *first = PERCPU(counters) + at;

	this_cpu_add(first[0], a);
	this_cpu_add(first[1], b);
	if (c)
		this_cpu_add(first[2], c);
}
EXPORT_SYMBOL_GPL(scst_helper_counters_add);

u64 scst_helper_counters_sum(u64 *counters, size_t at)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(PERCPU(counters) + at, cpu));
	return sum;
}
EXPORT_SYMBOL_GPL(scst_helper_counters_sum);

/* Keeps a host from being removed, unless that has begun. Not one line: the lock and the state belong together. */
bool scst_helper_host_hold(struct Scsi_Host *host)
{
	if (!mutex_trylock(&host->scan_mutex))
		return false;
	if (scsi_host_scan_allowed(host))
		return true;
	mutex_unlock(&host->scan_mutex);
	return false;
}
EXPORT_SYMBOL_GPL(scst_helper_host_hold);

/* The users of a count in atomic mode, but for its owner. */
H(unsigned long, percpu_ref_users, (struct percpu_ref *ref),
  long all = atomic_long_read(&ref->data->count) - !percpu_ref_is_dying(ref); return all > 0 ? all : 0);
H(const char *, kernel_release, (void), return init_utsname()->release);
H(const char *, kernel_machine, (void), return init_utsname()->machine);
H(unsigned long, memory_mb, (void), return totalram_pages() >> (20 - PAGE_SHIFT));

/* A copy of the current process's, which C's own functions would not let a module make. */
struct fs_struct *scst_helper_fs_copy(void)
{
	struct fs_struct *fs = kmalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	fs->users = 1;
	fs->in_exec = 0;
	fs->umask = current_umask();
	seqlock_init(&fs->seq);
	get_fs_root(current->fs, &fs->root);
	get_fs_pwd(current->fs, &fs->pwd);
	return fs;
}
EXPORT_SYMBOL_GPL(scst_helper_fs_copy);

H(void, fs_free, (struct fs_struct *fs), path_put(&fs->root); path_put(&fs->pwd); kfree(fs));
H(struct fs_struct *, fs_swap, (struct fs_struct *fs),
  struct fs_struct *old = current->fs; WRITE_ONCE(current->fs, fs); return old);
H(struct fs_struct *, fs_init, (void), return userspace_init_fs);
H(const struct cred *, get_current_cred, (void), return get_current_cred());
H(const struct cred *, override_creds, (const struct cred *cred), return override_creds(cred));
H(void, put_cred, (const struct cred *cred), put_cred(cred));

H(struct file *, file_reopen, (struct file *found, int flags), return file_open_root(&found->f_path, "", flags, 0));
H(int, file_truncate, (struct file *file), return vfs_truncate(&file->f_path, 0));

/* Removes the name that a file was opened by. Not one line: the directory's lock is held in between. */
int scst_helper_file_unlink(struct file *file)
{
	struct dentry *parent = dget_parent(file->f_path.dentry), *entry;
	int ret = mnt_want_write(file->f_path.mnt);

	if (!ret) {
		entry = start_removing_dentry(parent, file->f_path.dentry);
		ret = PTR_ERR_OR_ZERO(entry);
		if (!ret) {
			ret = vfs_unlink(mnt_idmap(file->f_path.mnt), d_inode(parent), entry, NULL);
			end_removing(entry);
		}
		mnt_drop_write(file->f_path.mnt);
	}
	dput(parent);
	return ret;
}
EXPORT_SYMBOL_GPL(scst_helper_file_unlink);

/* The allocation that a process asked to fail fails for who acts for it; what is left of the count goes back. */
static void move_faults(struct task_struct *from, struct task_struct *to)
{
#ifdef CONFIG_FAULT_INJECTION
	WRITE_ONCE(to->fail_nth, READ_ONCE(from->fail_nth));
	WRITE_ONCE(from->fail_nth, 0);
#endif
}

H(void, take_faults, (struct task_struct *from), move_faults(from, current));
H(void, give_faults_back, (struct task_struct *to), move_faults(current, to));

/* Closes now, not when a kernel thread gets round to it: whoever asked for it may unmount next. */
H(void, file_close, (struct file *file), get_file(file); filp_close(file, NULL); __fput_sync(file));
H(void, bdev_file_close, (struct file *file), get_file(file); bdev_fput(file); __fput_sync(file));

/* Waits until nobody scans or removes devices of the host any more. */
void scst_helper_host_settle(struct Scsi_Host *host)
{
	mutex_lock(&host->scan_mutex);
	mutex_unlock(&host->scan_mutex);
}
EXPORT_SYMBOL_GPL(scst_helper_host_settle);

/*
 * Makes devices visible again that are not, though they were added. The midlayer keeps that in one bit of a word that
 * drivers write to without a lock, when a disk is opened for one, so whoever opens a disk as soon as it is there may
 * undo it. The midlayer would then remove the device without its driver's knowledge, and wait for ever for its queue.
 */
void scst_helper_host_mend(struct Scsi_Host *host)
{
	struct scsi_device *sdev;
	unsigned long flags;

	mutex_lock(&host->scan_mutex);
	spin_lock_irqsave(host->host_lock, flags);
	list_for_each_entry(sdev, &host->__devices, siblings)
		if (!sdev->is_visible && device_is_registered(&sdev->sdev_gendev) &&
		    device_is_registered(&sdev->sdev_dev))
			sdev->is_visible = 1;
	spin_unlock_irqrestore(host->host_lock, flags);
	mutex_unlock(&host->scan_mutex);
}
EXPORT_SYMBOL_GPL(scst_helper_host_mend);

H(bool, host_in_recovery, (struct Scsi_Host *host), return scsi_host_in_recovery(host));
H(void, host_let_go, (struct Scsi_Host *host), mutex_unlock(&host->scan_mutex));

/* Where there is no storage below, as in tmpfs, the page cache is the storage. */
H(void, file_forget, (struct file *file, loff_t first, loff_t last),
  if (mapping_can_writeback(file->f_mapping))
	invalidate_inode_pages2_range(file->f_mapping, first >> PAGE_SHIFT, last >> PAGE_SHIFT));

/*
 * What transfers past the page cache are multiples of, in memory and in length: as the file system says, or the disk below it, or
 * what most disks take.
 */
void scst_helper_file_direct_units(struct file *file, u32 *memory, u32 *length)
{
	struct block_device *bdev = file_inode(file)->i_sb->s_bdev;
	struct kstat stat;

	if (vfs_getattr_nosec(&file->f_path, &stat, STATX_DIOALIGN, 0))
		stat = (struct kstat){};
	if (!stat.dio_offset_align && bdev) {
		stat.dio_mem_align = bdev_dma_alignment(bdev) + 1;
		stat.dio_offset_align = bdev_logical_block_size(bdev);
	}
	*memory = stat.dio_mem_align ?: SECTOR_SIZE;
	*length = stat.dio_offset_align ?: SECTOR_SIZE;
}
EXPORT_SYMBOL_GPL(scst_helper_file_direct_units);

/*
 * Bios that a task submits while it submits another one are kept until that has been handed over. One of ours must not be: the
 * outer one's next part may wait for its first, which waits for ours. Where the stack is short, as with disks on disks of ours, or
 * is not the task's, they are kept nevertheless.
 */
H(struct bio_list *, bio_list_take, (void),
  struct bio_list *list = current->bio_list;
  unsigned long left = current_stack_pointer - (unsigned long)task_stack_page(current);
  if (left < THREAD_SIZE / 2 || left >= THREAD_SIZE) return NULL;
  current->bio_list = NULL;
  return list);
H(void, bio_list_give_back, (struct bio_list *list), if (list) current->bio_list = list);
H(errseq_t, file_sample_error, (struct file *file), return filemap_sample_wb_err(file->f_mapping));
H(int, file_check_error, (struct file *file, errseq_t since), return filemap_check_wb_err(file->f_mapping, since));

/*
 * A block device's node throws its cache for the range away before it asks the disk, which may say no then: what is only in
 * the cache must be on the disk by that time, and what is cached of it in parts must not stay.
 */
int scst_helper_punch_hole(struct file *file, loff_t pos, loff_t len)
{
	struct address_space *mapping = file->f_mapping;
	bool is_block = S_ISBLK(mapping->host->i_mode);
	int error;

	if (is_block) {
		if (!bdev_write_zeroes_sectors(I_BDEV(mapping->host)))
			return -EOPNOTSUPP;
		filemap_fdatawrite_range(mapping, pos, pos + len - 1);
		filemap_fdatawait_range_keep_errors(mapping, pos, pos + len - 1);
	}
	error = vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len);
	if (error && is_block)
		invalidate_inode_pages2_range(mapping, pos >> PAGE_SHIFT, (pos + len - 1) >> PAGE_SHIFT);
	return error;
}
EXPORT_SYMBOL_GPL(scst_helper_punch_hole);

/*
 * Of data alone: what nobody needs to find the data, such as times, may stay behind. Nothing can be lost of a file that has no
 * such function, as those of proc.
 */
H(int, file_sync, (struct file *file, loff_t first, loff_t last),
  return file->f_op->fsync ? vfs_fsync_range(file, first, last, 1) : 0);
H(void, iocb_init, (struct kiocb *iocb, struct file *file, bool write, bool durable),
  iocb->ki_filp = file;
  iocb->ki_flags = file->f_iocb_flags | (write ? IOCB_WRITE : 0) | (durable ? IOCB_DSYNC : 0));
H(ssize_t, iocb_submit, (struct kiocb *iocb, struct iov_iter *iter, bool write),
  if (!write) return iocb->ki_filp->f_op->read_iter(iocb, iter);
  kiocb_start_write(iocb);
  return iocb->ki_filp->f_op->write_iter(iocb, iter));
H(bool, iocb_is_durable, (struct kiocb *iocb), return iocb->ki_flags & IOCB_DSYNC);
H(void, iocb_finish, (struct kiocb *iocb), if (iocb->ki_flags & IOCB_WRITE) kiocb_end_write(iocb));

/* Whoever writes back what others made dirty must not be throttled for it as they are. */
H(unsigned int, local_throttle_enter, (void),
  unsigned int old = current->flags & PF_LOCAL_THROTTLE; current->flags |= PF_LOCAL_THROTTLE; return old);
H(void, local_throttle_leave, (unsigned int flags), current_restore_flags(flags, PF_LOCAL_THROTTLE));
