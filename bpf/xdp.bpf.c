// SPDX-License-Identifier: MIT
// Counts at XDP. The traffic is never changed: every program passes the packet on.
#include "xdp.h"

SEC("xdp")
int xdp_count(struct xdp_md *ctx)
{
	count_xdp(ctx, 0, 0);
	return XDP_PASS;
}

SEC("xdp.frags")
int xdp_count_frags(struct xdp_md *ctx)
{
	count_xdp(ctx, 0, 1);
	return XDP_PASS;
}

// For interfaces without a link header.

SEC("xdp")
int xdp_count_raw(struct xdp_md *ctx)
{
	count_xdp(ctx, 1, 0);
	return XDP_PASS;
}

SEC("xdp.frags")
int xdp_count_raw_frags(struct xdp_md *ctx)
{
	count_xdp(ctx, 1, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
