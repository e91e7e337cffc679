// SPDX-License-Identifier: MIT
/* The floor at XDP: the backend's program with floor_count() instead of count(). */
#include "floor.h"
#define count floor_count
#include "../../../bpf/xdp.h"

SEC("xdp")
int floor_xdp(struct xdp_md *ctx)
{
	xdp_count(ctx, 0, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
