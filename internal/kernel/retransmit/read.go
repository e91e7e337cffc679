package retransmit

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"

	"github.com/pktstat/pktstat/flow"
)

// count is struct retransmits of bpf/retransmit.h; TestLayout compares them.
type count struct{ Segments, Bytes, LastEvent uint64 }

// connection is struct connection of bpf/retransmit.h; TestLayout compares them.
type connection struct {
	Socket       uint64
	LAddr, RAddr [16]byte
	NetNS        uint32
	LPort, RPort uint16
	Family       uint32
	_            uint32
}

// counted is the last count of a connection.
type counted struct {
	resent
	at time.Time // of the last change
}

// resent is what a connection has sent again.
type resent struct{ segments, bytes uint64 }

func (r resent) health() flow.Health {
	return flow.Health{Retransmits: r.segments, RetransmitBytes: r.bytes}
}

func (r resent) minus(o resent) resent { return resent{r.segments - o.segments, r.bytes - o.bytes} }

// An idle entry makes room for others, but not at once. A program may have looked the entry up,
// and be interrupted before it counts. Its count would be lost.
const (
	idleFor     = 30 * time.Second
	idleForFull = 2 * time.Second // if the map is more than half full
)

// read calls each for the connections that have sent segments again since the last call. now is
// the time of the call.
func (c *Counter) read(now time.Time, each func(*connection, resent)) error {
	var cursor ebpf.MapBatchCursor
	seen := make(map[connection]counted, len(c.known))
	for {
		n, err := c.coll.Maps["retransmits"].BatchLookup(&cursor, c.keys, c.values, nil)
		for i := range c.keys[:n] {
			k, total := c.keys[i], resent{c.values[i].Segments, c.values[i].Bytes}
			is, known := c.known[k]
			news := total.segments > is.segments // the programs add the bytes first
			if news {
				each(&k, total.minus(is.resent))
				is.resent = total
			}
			if news || !known {
				is.at = now
			}
			seen[k] = is
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			break
		}
		if err != nil {
			return fmt.Errorf("retransmitted segments: %w", err)
		}
	}
	c.known = seen
	for _, p := range c.probes {
		stats, err := p.program.Stats()
		if err != nil {
			return fmt.Errorf("missed retransmits: %w", err)
		}
		p.missed = stats.RecursionMisses
	}
	if err := c.forget(now, each); err != nil {
		return err
	}
	c.note()
	return nil
}

// forget deletes idle entries.
func (c *Counter) forget(now time.Time, each func(*connection, resent)) error {
	after := idleFor
	if len(c.known) > int(c.coll.Maps["retransmits"].MaxEntries())/2 {
		after = idleForFull
	}
	for k, before := range c.known {
		if now.Sub(before.at) < after {
			continue
		}
		is := count{Segments: before.segments, Bytes: before.bytes}
		err := c.coll.Maps["retransmits"].LookupAndDelete(&k, &is)
		if errors.Is(err, ebpf.ErrNotSupported) { // before 5.14
			err = c.coll.Maps["retransmits"].Delete(&k)
		}
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("retransmitted segments: %w", err)
		}
		if is.Segments > before.segments { // changed since
			each(&k, resent{is.Segments, is.Bytes}.minus(before.resent))
		}
		delete(c.known, k)
	}
	return nil
}

// key is the flow of the packets that the connection sends.
func (k *connection) key() flow.Key {
	addr := func(a [16]byte, port uint16) netip.AddrPort {
		ip := netip.AddrFrom16(a)
		if k.Family == afInet {
			ip = netip.AddrFrom4([4]byte(a[:4]))
		}
		return netip.AddrPortFrom(ip.Unmap(), port)
	}
	return flow.Key{
		Src: addr(k.LAddr, k.LPort), Dst: addr(k.RAddr, k.RPort), Proto: flow.TCP, Dir: flow.Egress, NetNS: k.NetNS,
	}
}

const afInet = 2
