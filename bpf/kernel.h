/* SPDX-License-Identifier: MIT */
/* What every program includes: UAPI headers of the distribution (linux-libc-dev, libbpf-dev),
 * and the kernel's types and constants that these lack. There is no vmlinux.h. A structure
 * lists only the fields that the programs read. CO-RE finds their offsets in the running
 * kernel. */
#pragma once

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "keys are packed for little-endian machines; see union key4 in flow.h"
#endif

/* The headers with these names are not for the BPF target: they include the C library. */
#define AF_INET   2
#define AF_INET6  10
#define IFF_SLAVE (1 << 11)

#define IPPROTO_MPTCP_ 262 /* the libc headers of Debian 12 lack IPPROTO_MPTCP */
#define SOCKFS_MAGIC   0x534F434B
#define PF_KTHREAD     0x00200000
#define XFRM_MAX_DEPTH 6 /* include/net/xfrm.h */

/* The kernel's values differ. bpf_core_enum_value() returns them. */
enum netdev_priv_flags {
	IFF_BRIDGE_PORT = 1,
	IFF_OVS_DATAPATH,
	IFF_TEAM_PORT,
};

enum skb_ext_id {
	SKB_EXT_SEC_PATH = 1,
};

/* CO-RE looks a type up by its name in the kernel's BTF, without the part from ___ on. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Packets and devices. */

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	unsigned int flags;
	unsigned int priv_flags; /* a bit field since 6.12 */
	int ifindex;
	possible_net_t nd_net;
};

struct skb_ext {
	__u8 offset[1]; /* from the structure, in units of 8 bytes, by enum skb_ext_id */
};

struct xfrm_id {
	__be32 spi;
};

struct xfrm_state {
	struct xfrm_id id;
};

/* The security associations by which a packet was decrypted, the last one last. */
struct sec_path {
	int len;
	struct xfrm_state *xvec[XFRM_MAX_DEPTH];
};

struct sk_buff {
	struct sock *sk;
	struct net_device *dev;
	unsigned int len, data_len;
	__be16 protocol;
	__u16 network_header;
	__u32 vlan_all; /* since 6.2 */
	unsigned int end;
	unsigned char *head, *data;
	__u8 active_extensions; /* a bit for each enum skb_ext_id */
	struct skb_ext *extensions;
};

struct sk_buff___5_10 {
	__u8 vlan_present : 1;
};

struct sk_buff___cb {
	char cb[48];
};

struct skb_shared_info {
	unsigned short gso_size, gso_segs;
};

/* Sockets. */

struct in6_addr___ours {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

typedef struct {
	__s64 counter;
} atomic64_t___ours;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr___ours skc_v6_daddr;
	struct in6_addr___ours skc_v6_rcv_saddr;
	atomic64_t___ours skc_cookie;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
};

struct tcp_sock {
	__u32 total_retrans;
};

/* TCP's use of sk_buff.cb. */
struct tcp_skb_cb {
	__u32 seq;
	__u16 tcp_gso_segs;
};

struct socket {
	struct sock *sk;
};

/* Tasks and their files. */

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

/* The registers at the entry of a function, on each architecture. */

struct pt_regs___amd64 {
	unsigned long di, dx;
};

struct pt_regs___arm64 {
	__u64 regs[31];
};

#pragma clang attribute pop

/* PT_REGS_PARM1 and PT_REGS_PARM3 of bpf_tracing.h for objects that serve both architectures. */

static __always_inline __u64 pt_regs_parm1(void *ctx)
{
	struct pt_regs___amd64 *amd64 = ctx;
	struct pt_regs___arm64 *arm64 = ctx;

	return bpf_core_field_exists(amd64->di) ? BPF_CORE_READ(amd64, di) :
						  BPF_CORE_READ(arm64, regs[0]);
}

static __always_inline __u64 pt_regs_parm3(void *ctx)
{
	struct pt_regs___amd64 *amd64 = ctx;
	struct pt_regs___arm64 *arm64 = ctx;

	return bpf_core_field_exists(amd64->dx) ? BPF_CORE_READ(amd64, dx) :
						  BPF_CORE_READ(arm64, regs[2]);
}
