/* SPDX-License-Identifier: MIT */
/* The slots of hooks that count by interface: count() adds a packet to its flow. IPv4 flows take
 * small slots, all others wide ones. */
#pragma once

#include "ifaces.h"

/* User space sets these before the load. */
const volatile __u32 buckets4 = 64; /* per shard and epoch, a power of two from 64 on */
const volatile __u32 buckets_wide = 64;

SHARDS_OF(struct bucket4) flows4 SEC(".maps");
SHARDS_OF(struct bucket_wide) flows_wide SEC(".maps");
SHARDS_OF(__u64) touched4 SEC(".maps");
SHARDS_OF(__u64) touched_wide SEC(".maps");

static __always_inline __u32 count4(const union key4 *k, const struct packet *p)
{
	return count_in(&flows4, &touched4, buckets4, k->word, 2, hash_words(k->word, 2), p);
}

static __always_inline __u32 count_wide(const struct packet *p)
{
	return count_in(&flows_wide, &touched_wide, buckets_wide, p->key.word, 6,
			hash_words(p->key.word, 6), p);
}

/* Adds a packet to its flow, and returns the row of its CPU and epoch. */
static __always_inline __u32 count(const struct packet *p)
{
	__u32 meta = p->key.word[0], ifindex = p->key.word[5];
	union key4 k;

	if ((meta >> META_KIND_SHIFT & 3) != KIND_IPV4 || ifindex > META4_IFINDEX_MAX) {
		return count_wide(p);
	}
	meta &= META_USED | 0xfffff; /* protocol and VLAN stay where they are */
	meta |= ifindex << META4_IFINDEX_SHIFT;
	if ((p->key.word[0] >> META_DIR_SHIFT & 3) == DIR_EGRESS)
		meta |= META4_EGRESS;
	k.word[0] = meta | p->key.word[0] >> 32 << 32;
	k.word[1] = (__u32)p->key.word[1] | p->key.word[3] << 32;
	return count4(&k, p);
}
