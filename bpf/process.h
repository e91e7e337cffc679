/* SPDX-License-Identifier: MIT */
/* Who has and who uses which socket. internal/owner/process mirrors the structures, and a
 * test compares both by the BTF of the object. */
#pragma once

#include "kernel.h"

struct owner {
	__u64 start;  /* of the process: ns since boot */
	__u64 cgroup; /* v2 id */
	__u32 tgid;
	__u32 uid;     /* real */
	char comm[16]; /* of the thread-group leader */
};
_Static_assert(sizeof(struct owner) == 40, "shared with Go");

/* How the owner of a socket is known, the better the higher. */
enum evidence {
	BY_NOTHING,
	BY_RELEASE, /* closed it */
	BY_CREATE,  /* called socket() */
	BY_HOLDING, /* has a descriptor of it */
	BY_USE,     /* connected it, sent or received */
};

enum event_kind {
	EVENT_HELD, /* the iterator found it */
	EVENT_USED,
	EVENT_OPENED, /* a TCP connection has its addresses */
	EVENT_RELEASED,
};

/* What happened to a socket, or that there is one. */
struct sock_event {
	__u64 cookie; /* 0: the socket has none */
	struct owner owner;
	__u32 netns; /* inode number */
	__u16 lport, rport;
	__u16 proto;
	__u16 family;
	__u8 laddr[16], raddr[16]; /* IPv4 in the first four bytes, the rest 0 */
	__u64 inode;               /* of the socket's file; only when held */
	__u8 kind, evidence, state;
	__u8 shared; /* several processes have used it */
	__u32 pad;
};
_Static_assert(sizeof(struct sock_event) == 112, "shared with Go");

/* The last process that used a socket, or else created it. */
struct user {
	struct owner owner;
	__u32 evidence;
	__u32 shared;
};
_Static_assert(sizeof(struct user) == 48, "shared with Go");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u64);     /* cookie */
	__type(value, struct user);
} users SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set before load */
} events SEC(".maps");

const volatile __u64 wake_at = 2048; /* unread bytes in events at which the reader is woken */

__u64 events_dropped; /* the ring was full */
__u64 users_dropped;  /* the hash was full */

/* Puts the types that no map has into the object's BTF, for the test of the layout. */
struct sock_event *btf_sock_event;
enum evidence *btf_evidence;
enum event_kind *btf_event_kind;

static __always_inline void read_task(struct owner *o, struct task_struct *t)
{
	struct task_struct *leader = BPF_CORE_READ(t, group_leader);

	o->start = BPF_CORE_READ(leader, start_boottime);
	o->tgid = BPF_CORE_READ(t, tgid);
	o->uid = BPF_CORE_READ(t, cred, uid.val);
	o->cgroup = BPF_CORE_READ(t, cgroups, dfl_cgrp, kn, id);
	bpf_probe_read_kernel_str(o->comm, sizeof(o->comm), &leader->comm);
}

/* Reads the calling process. A kernel thread is nobody: on 5.10 io_uring works in some. */
static __always_inline int read_current(struct owner *o)
{
	struct task_struct *t = (void *)bpf_get_current_task();

	if (BPF_CORE_READ(t, flags) & PF_KTHREAD)
		return 0;
	read_task(o, t);
	return 1;
}

/* Reads all but owner, cookie and kind. 0: not a socket with IP addresses. */
static __always_inline int read_sock(struct sock_event *e, struct sock *sk)
{
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (e->family != AF_INET && e->family != AF_INET6)
		return 0;
	e->proto = BPF_CORE_READ(sk, sk_protocol);
	e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	e->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	e->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	e->rport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (e->family == AF_INET) {
		*(__be32 *)e->laddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)e->raddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		BPF_CORE_READ_INTO(&e->laddr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&e->raddr, sk, __sk_common.skc_v6_daddr);
	}
	return 1;
}

/* Hands an event to user space, which looks once a second: it is woken only when the
 * ring is filling. */
static __always_inline void emit(struct sock_event *e)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wake_at)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&events, e, sizeof(*e), flags))
		__sync_fetch_and_add(&events_dropped, 1);
}

/* Takes note that the current process created or used a socket. Nonzero: that it uses
 * it is news. */
static __always_inline int note_user(__u64 cookie, __u32 evidence, struct owner *o)
{
	struct user u = { .evidence = evidence }, *known;

	if (!read_current(&u.owner))
		return 0;
	*o = u.owner;
	known = bpf_map_lookup_elem(&users, &cookie);
	if (known && known->evidence == BY_USE) {
		if (known->shared ||
		    (known->owner.tgid == u.owner.tgid && known->owner.start == u.owner.start))
			return 0;
		u.shared = 1; /* from now on it is known to be, and not told again */
	}
	if (bpf_map_update_elem(&users, &cookie, &u, BPF_ANY))
		__sync_fetch_and_add(&users_dropped, 1);
	return u.shared ? 2 : 1;
}

/* Sets the owner of an event to the user of the socket, if one is known. */
static __always_inline int read_user(struct sock_event *e)
{
	struct user *u = bpf_map_lookup_elem(&users, &e->cookie);

	if (!u)
		return 0;
	e->owner = u->owner;
	e->evidence = u->evidence;
	e->shared = u->shared;
	return 1;
}
