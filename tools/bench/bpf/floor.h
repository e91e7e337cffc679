/* SPDX-License-Identifier: MIT */
/* The work that no flow table can avoid: hash the key, add to one cache line. It does not compare
 * keys, so it is no table. It is the lower bound for one. */
#pragma once

#include "../../../bpf/flows.h"

const volatile __u32 floor_mask =
	0; /* number of slots, a power of two, minus one; set before the load */

#define FLOOR_SLOTS(T)                             \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 1);            \
		__type(key, __u32);                \
		__type(value, T);                  \
	}
FLOOR_SLOTS(struct slot4) floor4 SEC(".maps");
FLOOR_SLOTS(struct slot_wide) floor_wide SEC(".maps");

/* The cheapest hash of a whole key: the products do not depend on one another. */
static __always_inline __u32 floor_index(const __u64 *key, int words)
{
	__u64 h = 0;

#pragma unroll
	for (int w = 0; w < words; w++)
		h += (key[w] ^ key[w] >> 32) * (0x9E3779B97F4A7C15ULL + 0xD6E8FEB86659FD92ULL * w);
	return h >> 32 & floor_mask;
}

static __always_inline void floor_add(struct counts *c, const struct packet *p)
{
	c->packets_overhead += p->packets | (__u64)p->overhead << 32;
	c->bytes_flags += p->bytes;
}

/* Returns a row, as count() does. */
static __always_inline __u32 floor_count(const struct packet *p)
{
	if ((p->key.word[0] >> META_KIND_SHIFT & 3) == KIND_IPV4) {
		__u64 key[2] = { p->key.word[0], p->key.word[1] | p->key.word[3] << 32 };
		__u32 i = floor_index(key, 2);
		struct slot4 *slot = bpf_map_lookup_elem(&floor4, &i);

		if (slot)
			floor_add(&slot->counts, p);
	} else {
		__u32 i = floor_index(p->key.word, 6);
		struct slot_wide *slot = bpf_map_lookup_elem(&floor_wide, &i);

		if (slot)
			floor_add(&slot->counts, p);
	}
	return 0;
}
