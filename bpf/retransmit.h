/* SPDX-License-Identifier: MIT */
/* Counts TCP's retransmitted segments by connection. internal/kernel/retransmit mirrors the
 * structures. A test compares both by the object's BTF. */
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
	__u64 bytes;      /* of their layer-4 payload */
	__u64 last_event; /* that was counted */
};
_Static_assert(sizeof(struct retransmits) == 24, "shared with Go");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct connection);
	__type(value, struct retransmits);
} retransmits SEC(".maps");

/* User space sets this before the load: the inode number of the only network namespace whose
 * connections count. 0: all of them. */
const volatile __u32 only_netns = 0;

/* Of connections without an entry because the hash was full. */
__u64 retransmits_dropped;
__u64 last_dropped_event;

/* Two programs see each event (retransmit.bpf.c). The second one finds the event's number in the
 * entry and skips it. The socket is locked, so its events do not overlap. Event 0 is never
 * skipped. */
static __always_inline int is_again(__u64 *last, __u64 event)
{
	if (!event)
		return 0;
	if (*last == event)
		return 1;
	*last = event;
	return 0;
}

static __always_inline int count_retransmits(struct sock *sk, __u64 segments, __u64 bytes,
					     __u64 event)
{
	struct connection c = {};
	struct retransmits *r;

	c.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (only_netns && c.netns != only_netns)
		return 0;
	c.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	c.socket = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
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
	if (!r) {
		if (is_again(&last_dropped_event, event))
			return 0;
		__sync_fetch_and_add(&retransmits_dropped, segments);
		return 0;
	}
	if (is_again(&r->last_event, event))
		return 0;
	if (bytes) /* clang turns an addition of 0 into an atomic or, which 5.12 added */
		__sync_fetch_and_add(&r->bytes, bytes);
	__sync_fetch_and_add(&r->segments, segments);
	return 0;
}

/* TCP sends a clone of the buffer: the original has no headers, so its length is the payload.
 * The event's number is total_retrans and seq. It is unique: total_retrans grows with each event
 * of a socket, and two sockets have different sequence numbers. */
static __always_inline int count_segments(struct sock *sk, struct sk_buff___cb *skb)
{
	struct tcp_skb_cb *cb = (void *)skb + bpf_core_field_offset(skb->cb);
	__u64 total = BPF_CORE_READ((struct tcp_sock *)sk, total_retrans);
	__u16 n = BPF_CORE_READ(cb, tcp_gso_segs);

	return count_retransmits(sk, n ?: 1, BPF_CORE_READ((struct sk_buff *)skb, len),
				 total << 32 | BPF_CORE_READ(cb, seq));
}
