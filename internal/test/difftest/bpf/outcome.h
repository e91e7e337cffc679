/* SPDX-License-Identifier: MIT */
/* Where a program leaves what the parser made of a packet: once through both paths,
 * and what the fast path took apart from it. */
#pragma once

struct outcome {
	struct packet slow; /* parse() */
	struct packet fast; /* parse_fast(), if it took the packet */
	__u64 taken;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct outcome);
} outcomes SEC(".maps");

static __always_inline struct outcome *outcome(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&outcomes, &zero);
}
