// SPDX-License-Identifier: MIT
// Counts the segments that TCP sends again, by connection, where TCP says so.
#include "retransmit.h"

SEC("raw_tp/tcp_retransmit_skb")
int segments_sent(struct bpf_raw_tracepoint_args *ctx)
{
	return sent_again((void *)ctx->args[0], segments_of((void *)ctx->args[1]));
}

/* From Linux 6.16 on it tells of those that could not be sent, too. */
SEC("raw_tp/tcp_retransmit_skb")
int segments_tried(struct bpf_raw_tracepoint_args *ctx)
{
	if ((int)ctx->args[2])
		return 0;
	return sent_again((void *)ctx->args[0], segments_of((void *)ctx->args[1]));
}

/* What answers a SYN has no socket yet, but a request with its addresses. */
SEC("raw_tp/tcp_retransmit_synack")
int synacks_sent(struct bpf_raw_tracepoint_args *ctx)
{
	return sent_again((void *)ctx->args[1], 1);
}

char _license[] SEC("license") = "Dual MIT/GPL";
