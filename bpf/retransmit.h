/* SPDX-License-Identifier: MIT */
/* Segments that TCP has sent again, by connection. backends/kprobe mirrors the key, and a
 * test compares both by the BTF of the object. */
#pragma once

#include "kernel.h"

struct connection {
	__u64 socket;              /* cookie; 0: nobody has asked for it so far */
	__u8 laddr[16], raddr[16]; /* IPv4 in the first four bytes, the rest 0 */
	__u32 netns;               /* inode number */
	__u16 lport, rport;
	__u32 family; /* of the socket: IPv4 may be mapped into IPv6 */
	__u32 pad;
};
_Static_assert(sizeof(struct connection) == 56, "shared with Go");

struct again {
	__u64 segments; /* since the entry was made */
	__u64 event;    /* that was counted last */
};
_Static_assert(sizeof(struct again) == 16, "shared with Go");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct connection);
	__type(value, struct again);
} retransmits SEC(".maps");

/* Of connections for which the hash had no room. */
__u64 retransmits_dropped;
__u64 last_dropped; /* event */

/* An event is counted by the first program that is called for it: events of a socket come
 * one after the other, while it is locked. One without a number is always counted. */
static __always_inline int sent_again(struct sock *sk, __u64 segments, __u64 event)
{
	struct connection c = {};
	struct again *a;
	__u64 *last;

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
	a = bpf_map_lookup_elem(&retransmits, &c);
	if (!a) {
		struct again none = {};

		bpf_map_update_elem(&retransmits, &c, &none, BPF_NOEXIST);
		a = bpf_map_lookup_elem(&retransmits, &c);
	}
	last = a ? &a->event : &last_dropped;
	if (event && *last == event)
		return 0;
	if (event)
		*last = event;
	__sync_fetch_and_add(a ? &a->segments : &retransmits_dropped, segments);
	return 0;
}

/* What the socket has sent again has grown since the event before, and another socket's
 * sequence numbers are others. */
static __always_inline int segments_again(struct sock *sk, struct sk_buff___cb *skb)
{
	struct tcp_skb_cb *cb = (void *)skb + bpf_core_field_offset(skb->cb);
	__u64 total = BPF_CORE_READ((struct tcp_sock *)sk, total_retrans);
	__u16 n = BPF_CORE_READ(cb, tcp_gso_segs);

	return sent_again(sk, n ?: 1, total << 32 | BPF_CORE_READ(cb, seq));
}
