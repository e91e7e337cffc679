/* SPDX-License-Identifier: MIT */
/* What every program includes: UAPI headers of the distribution (linux-libc-dev,
 * libbpf-dev), and what they lack. No vmlinux.h: of the kernel's own structures, here
 * are the fields that are read, and CO-RE finds out where the running kernel has them. */
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

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "keys are packed for little-endian machines; see struct key4 in flow.h"
#endif

/* Fields that are not here are not read. A type has its name from the kernel's BTF; what
 * follows ___ in it is only for us. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

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

struct net_device {
	unsigned int flags;
	unsigned int priv_flags; /* a bit field since 6.12 */
	possible_net_t nd_net;
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
};

struct sk_buff___5_10 {
	__u8 vlan_present : 1;
};

struct skb_shared_info {
	unsigned short gso_size, gso_segs;
};

/* What a kprobe gets, on amd64 and on arm64. */
struct pt_regs___amd64 {
	unsigned long di, dx;
};

struct pt_regs___arm64 {
	__u64 regs[31];
};

#pragma clang attribute pop

enum netdev_priv_flags {
	IFF_BRIDGE_PORT = 1, /* the kernel's numbers are others */
	IFF_OVS_DATAPATH,
	IFF_TEAM_PORT,
};

#define IFF_SLAVE (1 << 11) /* linux/if.h is not for this target: it includes the C library */
