// SPDX-License-Identifier: MIT
// Counts at XDP. Every program passes every packet on, unchanged.
#include "xdp.h"

SEC("xdp")
int xdp_ingress(struct xdp_md *ctx)
{
	xdp_count(ctx, 0, 0);
	return XDP_PASS;
}

SEC("xdp.frags")
int xdp_ingress_frags(struct xdp_md *ctx)
{
	xdp_count(ctx, 0, 1);
	return XDP_PASS;
}

// For interfaces without a link header.

SEC("xdp")
int xdp_ingress_raw(struct xdp_md *ctx)
{
	xdp_count(ctx, 1, 0);
	return XDP_PASS;
}

SEC("xdp.frags")
int xdp_ingress_raw_frags(struct xdp_md *ctx)
{
	xdp_count(ctx, 1, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
