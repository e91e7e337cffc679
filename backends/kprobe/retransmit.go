package kprobe

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/flow"
)

// retransmits counts the segments that TCP sends again, by connection.
type retransmits struct {
	coll  *ebpf.Collection
	links []link.Link
	known map[connection]uint64 // as of the last Collect

	keys   []connection
	values []uint64
}

// connection is struct connection of bpf/retransmit.h; TestConnection compares them.
type connection struct {
	Socket       uint64
	LAddr, RAddr [16]byte
	NetNS        uint32
	LPort, RPort uint16
	Family       uint32
	_            uint32
}

// openRetransmits attaches to TCP's own tracepoints.
func openRetransmits() (_ *retransmits, err error) {
	r := &retransmits{known: map[connection]uint64{}, keys: make([]connection, 256), values: make([]uint64, 256)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("retransmitted segments: %w", errors.Join(err, r.close()))
		}
	}()
	spec, err := loadRetransmit()
	if err != nil {
		return nil, err
	}
	if r.coll, err = ebpf.NewCollection(spec); err != nil {
		return nil, err
	}
	// A kernel whose tracepoint does not tell what failed (before 6.16) refuses the first.
	if r.attach("tcp_retransmit_skb", "segments_tried") != nil {
		if err := r.attach("tcp_retransmit_skb", "segments_sent"); err != nil {
			return nil, err
		}
	}
	return r, r.attach("tcp_retransmit_synack", "synacks_sent")
}

func (r *retransmits) attach(tracepoint, program string) error {
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: tracepoint, Program: r.coll.Programs[program]})
	if err != nil {
		return fmt.Errorf("attach to %s: %w", tracepoint, err)
	}
	r.links = append(r.links, l)
	return nil
}

// collect adds a record for each connection that has sent segments again since the last
// time. Those without news since then make room for others.
func (r *retransmits) collect(b *flow.Batch) error {
	var cursor ebpf.MapBatchCursor
	var idle []connection
	seen := make(map[connection]uint64, len(r.known))
	for {
		n, err := r.coll.Maps["retransmits"].BatchLookup(&cursor, r.keys, r.values, nil)
		for i, c := range r.keys[:n] {
			total := r.values[i]
			seen[c] = total
			if news := total - r.known[c]; news > 0 {
				b.Add(c.record(b, news))
			} else {
				idle = append(idle, c)
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			break
		}
		if err != nil {
			return fmt.Errorf("retransmitted segments: %w", err)
		}
	}
	for _, c := range idle {
		total := seen[c]
		err := r.coll.Maps["retransmits"].LookupAndDelete(&c, &total)
		if errors.Is(err, ebpf.ErrNotSupported) { // before 5.14
			err = r.coll.Maps["retransmits"].Delete(&c)
		}
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("retransmitted segments: %w", err)
		}
		if news := total - seen[c]; news > 0 { // just now
			b.Add(c.record(b, news))
		}
		delete(seen, c)
	}
	r.known = seen
	return nil
}

// record is the flow of what the connection sends.
func (c *connection) record(b *flow.Batch, segments uint64) flow.Record {
	addr := func(a [16]byte, port uint16) netip.AddrPort {
		ip := netip.AddrFrom16(a)
		if c.Family == afInet {
			ip = netip.AddrFrom4([4]byte(a[:4]))
		}
		return netip.AddrPortFrom(ip.Unmap(), port)
	}
	return flow.Record{
		Key: flow.Pack(flow.Key{
			Src: addr(c.LAddr, c.LPort), Dst: addr(c.RAddr, c.RPort), Proto: flow.TCP, Dir: flow.Egress, NetNS: c.NetNS,
		}),
		First: b.Start.UnixNano(), Last: b.End.UnixNano(),
		Socket: c.Socket, Retransmits: segments,
	}
}

const afInet = 2

// notes are what a reader of the column must know.
func (r *retransmits) notes() []string {
	var dropped uint64
	if err := r.coll.Variables["retransmits_dropped"].Get(&dropped); err != nil || dropped == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d retransmitted segments were of more connections than are kept, and count in no row's retransmits", dropped)}
}

func (r *retransmits) close() error {
	var errs []error
	for _, l := range r.links {
		errs = append(errs, l.Close())
	}
	r.links = nil
	if r.coll != nil {
		r.coll.Close()
		r.coll = nil
	}
	return errors.Join(errs...)
}
