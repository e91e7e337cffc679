/* SPDX-License-Identifier: MIT */
/* The parser of a CPU, for hooks that nothing interrupts. See struct parser. */
#pragma once

#include "parse.h"

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
