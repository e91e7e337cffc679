/* SPDX-License-Identifier: MIT */
/* Where parse() works: what the verifier does not look into (see struct parser). */
#pragma once

#include "parse.h"

/* One for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct parser);
} parsers SEC(".maps");

static __always_inline struct parser *parser(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&parsers, &zero);
}
