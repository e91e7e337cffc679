/* SPDX-License-Identifier: MIT */
/* Counts TCP's retransmitted segments by connection. backends/kprobe mirrors the structures. A
 * test compares both by the object's BTF. */
#pragma once

#include "kernel.h"

struct connection {
	__u64 socket;              /* cookie; 0: the kernel has generated none yet */
	__u8 laddr[16], raddr[16]; /* IPv4 is in the first four bytes, the rest is 0 */
	__u32 netns;               /* inode number */
	__u16 lport, rport;
	__u32 family; /* of the socket: an IPv6 socket may have mapped IPv4 addresses */
	__u32 pad;
};
_Static_assert(sizeof(struct connection) == 56, "shared with Go");

struct retransmits {
	__u64 segments;   /* since the entry was made */
	__u64 last_event; /* that was counted */
};
_Static_assert(sizeof(struct retransmits) == 16, "shared with Go");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct connection);
	__type(value, struct retransmits);
} retransmits SEC(".maps");

/* Of connections without an entry because the hash was full. */
__u64 retransmits_dropped;
__u64 last_dropped_event;

/* Two programs see each event (retransmit.bpf.c). The second one finds the event's number in the
 * entry and skips it. The socket is locked, so its events do not overlap. Event 0 is never
 * skipped. */
static __always_inline int count_retransmits(struct sock *sk, __u64 segments, __u64 event)
{
	struct connection c = {};
	struct retransmits *r;
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
	r = bpf_map_lookup_elem(&retransmits, &c);
	if (!r) {
		struct retransmits none = {};

		bpf_map_update_elem(&retransmits, &c, &none, BPF_NOEXIST);
		r = bpf_map_lookup_elem(&retransmits, &c);
	}
	last = r ? &r->last_event : &last_dropped_event;
	if (event && *last == event)
		return 0;
	if (event)
		*last = event;
	__sync_fetch_and_add(r ? &r->segments : &retransmits_dropped, segments);
	return 0;
}

/* The event's number is total_retrans and seq. It is unique: total_retrans grows with each event
 * of a socket, and two sockets have different sequence numbers. */
static __always_inline int count_segments(struct sock *sk, struct sk_buff___cb *skb)
{
	struct tcp_skb_cb *cb = (void *)skb + bpf_core_field_offset(skb->cb);
	__u64 total = BPF_CORE_READ((struct tcp_sock *)sk, total_retrans);
	__u16 n = BPF_CORE_READ(cb, tcp_gso_segs);

	return count_retransmits(sk, n ?: 1, total << 32 | BPF_CORE_READ(cb, seq));
}
