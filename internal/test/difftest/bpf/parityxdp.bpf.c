// SPDX-License-Identifier: MIT
// parity.bpf.c for packets as struct xdp_md.
#include "../../../../bpf/xdp.h"
#include "outcome.h"

static __always_inline int both(struct xdp_md *ctx, __u32 raw)
{
	void *data = (void *)(long)ctx->data + (raw ? raw_offset : 0);
	struct frame f = xdp_frame(ctx, raw, frags);
	struct outcome *o = outcome();
	struct packet p;
	struct parser *s;

	if (!o)
		return XDP_ABORTED;
	o->taken = parse_fast(data, (void *)(long)ctx->data_end, &f, &p);
	if (o->taken)
		o->fast = p;
	xdp_parse(ctx, raw, frags);
	s = parser();
	if (!s)
		return XDP_ABORTED;
	o->slow = s->p;
	return XDP_PASS;
}

SEC("xdp")
int parity_ethernet(struct xdp_md *ctx)
{
	return both(ctx, 0);
}

SEC("xdp")
int parity_raw(struct xdp_md *ctx)
{
	return both(ctx, 1);
}

char _license[] SEC("license") = "Dual MIT/GPL";
