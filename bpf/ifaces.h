/* SPDX-License-Identifier: MIT */
/* Each interface's part of what the flow table and its driver count differently. User space
 * compares the rest with the driver's counters. Packets that are no super-frame do not come here. */
#pragma once

#include "table.h"

SHARDS_OF(struct ifaces) ifaces SEC(".maps");

#define IFACES_TRIED 4

/* Returns the element of an interface and a direction. It is a function of its own, as most
 * packets do not need it. */
static __noinline struct iface *iface_of(__u32 row, __u32 ifindex, __u32 direction)
{
	struct ifaces *all = bpf_map_lookup_elem(&ifaces, &row);
	struct iface *f;

	if (!all)
		return NULL; /* not possible: the array has every row */
#pragma unroll
	for (__u32 i = 0; i < IFACES_TRIED; i++) {
		f = &all->of[(2 * ifindex + direction + i) % IFACES];
		if (f == &all->of[IFACES - 1])
			break;
		if (!f->direction) {
			f->ifindex = ifindex;
			f->direction = direction;
			return f;
		}
		if (f->ifindex == ifindex && f->direction == direction)
			return f;
	}
	f = &all->of[IFACES - 1];
	f->direction = DIR_INGRESS; /* used */
	return f;
}

static __always_inline void folded(__u32 row, const __u64 *slot, int words, __u32 packets,
				   __u64 frame_bytes)
{
	__u32 meta = slot[0], ifindex, direction;
	struct iface *f;

	if (words == 2) {
		ifindex = meta >> META4_IFINDEX_SHIFT & META4_IFINDEX_MAX;
		direction = meta & META4_EGRESS ? DIR_EGRESS : DIR_INGRESS;
	} else {
		ifindex = slot[5];
		direction = meta >> META_DIR_SHIFT & 3;
	}
	f = iface_of(row, ifindex, direction);
	if (!f)
		return;
	f->full_packets += packets;
	f->full_bytes += frame_bytes;
}

/* Notes that a packet has counted as its segments. The driver has seen a frame of len bytes. */
static __always_inline void merged(__u32 row, const struct packet *p, __u32 len)
{
	struct iface *f = iface_of(row, p->key.word[5], p->key.word[0] >> META_DIR_SHIFT & 3);

	if (!f)
		return;
	f->merged_packets += p->packets - 1;
	f->merged_bytes += p->bytes + p->overhead - len;
}
