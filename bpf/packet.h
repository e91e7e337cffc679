/* SPDX-License-Identifier: MIT */
/* The result of the parser, and the input of the table. */
#pragma once

#include "flow.h"

struct packet {
	union key_wide key; /* always in the wide form; the table packs it */
	__u32 packets;      /* 1, or the segments of a super-frame */
	__u32 overhead;     /* FrameBytes - Bytes; 0 for frames that are not IP */
	__u64 bytes;        /* Bytes; FrameBytes for frames that are not IP */
	__u32 tcp_flags;    /* byte 13 of the TCP header; 0: no TCP, or no header */
};
