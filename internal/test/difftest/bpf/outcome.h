/* SPDX-License-Identifier: MIT */
/* The results of both paths of the parser for a packet. The program writes them; the test reads
 * them. */
#pragma once

struct outcome {
	struct packet slow; /* parse() */
	struct packet fast; /* parse_fast(), if taken is not 0 */
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
