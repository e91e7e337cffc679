/* SPDX-License-Identifier: MIT */
/* Segments that TCP has sent again, by connection. backends/kprobe mirrors the key, and a
 * test compares both by the BTF of the object. */
#pragma once

#include "compat.h"

#include <bpf/bpf_core_read.h>

struct connection {
	__u64 socket; /* cookie; 0: nobody has asked for it so far */
	__u8 laddr[16], raddr[16]; /* IPv4 in the first four bytes, the rest 0 */
	__u32 netns; /* inode number */
	__u16 lport, rport;
	__u32 family; /* of the socket: IPv4 may be mapped into IPv6 */
	__u32 pad;
};
_Static_assert(sizeof(struct connection) == 56, "shared with Go");

/* How many segments since the entry was made. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct connection);
	__type(value, __u64);
} retransmits SEC(".maps");

__u64 retransmits_dropped; /* the hash was full */

#define AF_INET 2

/* The control block of TCP in a packet that it has queued. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct tcp_skb_cb {
	__u16 tcp_gso_segs;
};
struct sk_buff___cb {
	char cb[48];
};
#pragma clang attribute pop

static __always_inline __u32 segments_of(struct sk_buff___cb *skb)
{
	struct tcp_skb_cb *cb = (void *)skb + bpf_core_field_offset(skb->cb);
	__u16 n = BPF_CORE_READ(cb, tcp_gso_segs);

	return n ?: 1;
}

static __always_inline int sent_again(struct sock *sk, __u64 segments)
{
	struct connection c = {};
	__u64 *n;

	c.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	c.socket = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	c.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	c.lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	c.rport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (c.family == AF_INET) {
		*(__be32 *)c.laddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)c.raddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		BPF_CORE_READ_INTO(&c.laddr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&c.raddr, sk, __sk_common.skc_v6_daddr);
	}
	n = bpf_map_lookup_elem(&retransmits, &c);
	if (!n) {
		__u64 none = 0;

		bpf_map_update_elem(&retransmits, &c, &none, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&retransmits, &c);
	}
	if (n)
		__sync_fetch_and_add(n, segments);
	else
		__sync_fetch_and_add(&retransmits_dropped, segments);
	return 0;
}
