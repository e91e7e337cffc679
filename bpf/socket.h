/* SPDX-License-Identifier: MIT */
/* The few kernel structures that tell a socket's addresses and a task's process, and
 * how they are read. Field offsets are the running kernel's (CO-RE). Everything is
 * read with bpf_probe_read_kernel, which loads in iterators, cgroup programs and
 * tracepoints alike from 5.10 on. */
#pragma once

#include "compat.h"
#include <bpf/bpf_core_read.h>

#define AF_INET        2
#define AF_INET6       10
#define IPPROTO_MPTCP_ 262 /* not in the headers of Debian 12's libc */
#define SOCKFS_MAGIC   0x534F434B
#define PF_KTHREAD     0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct socket {
	struct sock *sk;
};

typedef struct {
	unsigned int val;
} kuid_t;
struct cred {
	kuid_t uid;
};
struct kernfs_node {
	__u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};
struct task_struct {
	unsigned int flags;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_boottime;
	const struct cred *cred;
	char comm[16];
	struct css_set *cgroups;
};

struct super_block {
	unsigned long s_magic;
};
struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};
struct file {
	struct inode *f_inode;
	void *private_data;
};
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop
