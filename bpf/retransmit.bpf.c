// SPDX-License-Identifier: MIT
// Counts the segments that TCP sends again, by connection, where TCP says so. Those for
// tcp_retransmit_skb are attached twice: while one is interrupted, the kernel does not call
// it for what interrupts it (05b24ff9b2cf, Linux 6.1).
#include "retransmit.h"

SEC("raw_tp/tcp_retransmit_skb")
int segments_sent(struct bpf_raw_tracepoint_args *ctx)
{
	return segments_again((void *)ctx->args[0], (void *)ctx->args[1]);
}

/* From Linux 6.16 on it tells of those that could not be sent, too. */
SEC("raw_tp/tcp_retransmit_skb")
int segments_tried(struct bpf_raw_tracepoint_args *ctx)
{
	if ((int)ctx->args[2])
		return 0;
	return segments_again((void *)ctx->args[0], (void *)ctx->args[1]);
}

/* What answers a SYN has no socket yet, but a request with its addresses. Nothing
 * interrupts it that sends segments. */
SEC("raw_tp/tcp_retransmit_synack")
int synacks_sent(struct bpf_raw_tracepoint_args *ctx)
{
	return sent_again((void *)ctx->args[1], 1, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
