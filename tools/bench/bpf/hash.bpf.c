// SPDX-License-Identifier: MIT
/* The usual way to count flows, with the parser of this project: a per-CPU LRU hash map and a
 * second map. It replaces a peer in tests and on machines without one. */
#include "../../../bpf/skb.h"
#include <linux/pkt_cls.h>

struct hash_value {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 131072);
	__type(key, union key_wide);
	__type(value, struct hash_value);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, union key_wide);
	__type(value, __u8);
} seen SEC(".maps");

SEC("tc")
int hash_tc(struct __sk_buff *skb)
{
	struct frame f = skb_frame(skb, DIR_INGRESS, 0);
	struct hash_value *value, first = { .packets = 1 };
	struct packet p;
	__u8 yes = 1;

	if (!parse_fast((void *)(long)skb->data, (void *)(long)skb->data_end, &f, &p))
		return TC_ACT_UNSPEC;
	value = bpf_map_lookup_elem(&flows, &p.key);
	if (value) {
		value->packets++;
		value->bytes += p.bytes;
		return TC_ACT_UNSPEC;
	}
	first.bytes = p.bytes;
	bpf_map_update_elem(&flows, &p.key, &first, BPF_NOEXIST);
	bpf_map_update_elem(&seen, &p.key, &yes, BPF_ANY);
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual MIT/GPL";
