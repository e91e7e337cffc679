/* SPDX-License-Identifier: MIT */
/* What every program includes: UAPI headers of the distribution (linux-libc-dev,
 * libbpf-dev), and what they lack. No vmlinux.h: nothing here depends on the
 * layout of a kernel structure. */
#pragma once

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "keys are packed for little-endian machines; see struct key4 in flow.h"
#endif
