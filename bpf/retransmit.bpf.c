// SPDX-License-Identifier: MIT
// Counts TCP's retransmitted segments at the kernel's tracepoints. User space attaches the program
// at tcp_retransmit_skb twice: the kernel does not run a program while it interrupts itself
// (05b24ff9b2cf, Linux 6.1).
#include "retransmit.h"

SEC("raw_tp/tcp_retransmit_skb")
int segments_sent(struct bpf_raw_tracepoint_args *ctx)
{
	return count_segments((void *)ctx->args[0], (void *)ctx->args[1]);
}

/* Since Linux 6.16, the tracepoint also runs for segments that could not be sent. Its third
 * argument is the error. */
SEC("raw_tp/tcp_retransmit_skb")
int segments_tried(struct bpf_raw_tracepoint_args *ctx)
{
	if ((int)ctx->args[2])
		return 0;
	return count_segments((void *)ctx->args[0], (void *)ctx->args[1]);
}

/* A SYN-ACK belongs to a request_sock, which has the addresses. No program that counts segments
 * interrupts this one. */
SEC("raw_tp/tcp_retransmit_synack")
int synacks_sent(struct bpf_raw_tracepoint_args *ctx)
{
	return count_retransmits((void *)ctx->args[1], 1, 0, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
