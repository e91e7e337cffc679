package bench

import (
	"context"
	"fmt"
)

// Flood is the result of a flood: far more flows than a program's table can hold.
type Flood struct {
	Case
	Program string `json:"program"`
	Packets int    `json:"packets"`
	// Packets and bytes that neither flows nor the rest account for, in the worst round.
	UnaccountedPackets int64 `json:"unaccounted_packets"`
	UnaccountedBytes   int64 `json:"unaccounted_bytes"`
	// Number of elephants whose row has at least half of their packets, in the worst round.
	Elephants int `json:"elephants"`
}

// flood sends a new flow with nine packets of ten. From the middle on, every tenth packet belongs
// to one of ten elephants. Tables have their default size, and are not read meanwhile.
func (r *runner) flood(ctx context.Context) error {
	for _, hook := range r.Hooks {
		err := r.with(r.defaults(hook), func(ps programs) error {
			for _, p := range ps {
				if err := p.drive(traffic{elephantsFrom: r.Scale.FloodPackets / 2}); err != nil {
					return err
				}
			}
			for _, kind := range []packet{udp4, udp6} {
				if err := r.floodCase(ctx, hook, kind, ps); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) floodCase(ctx context.Context, hook Hook, kind packet, ps programs) error {
	r.Progress("flood %s %s: %d packets", hook, kind.name, r.Scale.FloodPackets)
	frame := kind.frame(64)
	n := r.Scale.FloodPackets
	c := Case{Experiment: "flood", Hook: hook, Packet: kind.name, Size: len(frame), Table: TableDefault, State: StateNew}
	results := make(map[*program]*Flood)
	perPacket := make(map[*program]uint64)
	for _, p := range ps {
		if p.tally == nil {
			continue
		}
		bytes, err := r.bytesOfOne(ctx, p, frame)
		if err != nil {
			return err
		}
		perPacket[p] = bytes
		results[p] = &Flood{Case: c, Program: p.name, Packets: n, Elephants: elephants}
	}
	err := r.rounds(Group{Case: c, Unit: UnitNanoseconds}, ps, func(p *program, _ int) (float64, error) {
		if err := p.clear(); err != nil {
			return 0, err
		}
		ns, err := r.drive(ctx, p, frame, 0, n)
		if f := results[p]; err == nil && f != nil {
			err = f.check(p, perPacket[p])
		}
		return ns, err
	})
	for _, p := range ps {
		if f := results[p]; f != nil && err == nil {
			r.result.Floods = append(r.result.Floods, *f)
		}
	}
	return err
}

// bytesOfOne returns the bytes that a program counts for one packet. Peers count bytes of different
// layers.
func (r *runner) bytesOfOne(ctx context.Context, p *program, frame []byte) (uint64, error) {
	if err := p.clear(); err != nil {
		return 0, err
	}
	if _, err := r.drive(ctx, p, frame, 0, 1); err != nil {
		return 0, err
	}
	t, err := p.tally()
	if err == nil && t.packets != 1 {
		err = fmt.Errorf("%s counted one packet as %d", p.name, t.packets)
	}
	return t.bytes, err
}

// check compares p's counters with what it was sent.
func (f *Flood) check(p *program, bytesOfOne uint64) error {
	t, err := p.tally()
	if err != nil {
		return fmt.Errorf("read what %s counted: %w", p.name, err)
	}
	sent := uint64(f.Packets)
	if d := int64(sent - t.packets); abs(d) > abs(f.UnaccountedPackets) {
		f.UnaccountedPackets = d
	}
	if d := int64(sent*bytesOfOne - t.bytes); abs(d) > abs(f.UnaccountedBytes) {
		f.UnaccountedBytes = d
	}
	f.Elephants = min(f.Elephants, elephantsIn(t.flows, f.Packets))
	return nil
}

// elephantsIn returns how many flows have at least half of an elephant's packets. Other flows have
// at most one packet.
func elephantsIn(flows []uint64, packets int) int {
	each := uint64(packets / 2 / elephantEvery / elephants)
	found := 0
	for _, n := range flows {
		if n >= max(2, each/2) {
			found++
		}
	}
	return min(found, elephants)
}

func abs(d int64) int64 { return max(d, -d) }
