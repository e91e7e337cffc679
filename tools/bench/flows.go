package bench

import (
	"context"
	"errors"
)

// Distributions of packets over flows, sizes of tables and their states.
const (
	DistUniform = "uniform"
	DistZipf    = "zipf"

	TableDefault = "default"
	TableFit     = "fit"

	StateWarm = "warm"
	StateNew  = "new"
)

// MaxFlows is the largest number of flows that can be measured.
const MaxFlows = 1 << 23

// sequenceLen returns the length of the sequence for a number of flows. It holds several rounds of
// all flows. With few flows, it is longer than a measurement.
func (r *runner) sequenceLen(flows int) int {
	n := 1 << 12
	for n < 4*flows || n < 2*r.Scale.Packets {
		n *= 2
	}
	return min(n, MaxFlows)
}

// flows measures many flows: the cost of finding a flow's slot.
func (r *runner) flows(ctx context.Context) error {
	for _, hook := range r.Hooks {
		overfull := false
		for _, flows := range r.Scale.Flows {
			// Measure the cost of tables that are too small only once.
			if !overfull {
				if err := r.flowsIn(ctx, r.defaults(hook), flows); err != nil {
					return err
				}
			}
			if flows < r.Scale.Fit {
				continue
			}
			overfull = true
			o, _ := r.fitting(hook, flows)
			if err := r.flowsIn(ctx, o, flows); err != nil {
				return err
			}
		}
	}
	return nil
}

// flowsIn measures a number of flows in tables of one size.
func (r *runner) flowsIn(ctx context.Context, o loadOptions, flows int) error {
	seq, err := newSequence(r.sequenceLen(flows))
	if err != nil {
		return err
	}
	err = r.with(o, func(ps programs) error {
		for _, p := range ps {
			if err := p.drive(traffic{sequence: seq}); err != nil {
				return err
			}
		}
		for _, dist := range []string{DistUniform, DistZipf} {
			if dist == DistZipf && flows == 1 {
				continue
			}
			if dist == DistZipf {
				seq.zipf(flows, r.random())
			} else {
				seq.uniform(flows, r.random())
			}
			for _, kind := range []packet{udp4, udp6} {
				if err := r.flowsCase(ctx, o, kind, flows, dist, seq, ps); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return errors.Join(err, seq.close())
}

func (r *runner) flowsCase(ctx context.Context, o loadOptions, kind packet, flows int, dist string, seq *sequence, ps programs) error {
	frame := kind.frame(64)
	g := Group{
		Case: Case{
			Experiment: "flows", Hook: o.hook, Packet: kind.name, Size: len(frame), Flows: flows,
			Distribution: dist, Table: TableDefault, State: StateWarm,
		},
		Unit: UnitNanoseconds,
	}
	if o.fit {
		g.Table = TableFit
	}
	r.Progress("flows %s %s: %d flows, %s, %s table", o.hook, kind.name, flows, dist, g.Table)

	// If there is room, every flow has a slot: a uniform sequence begins with each flow once.
	fill := seq.len
	if dist == DistUniform {
		fill = flows
	}
	for _, p := range ps {
		if err := p.clear(); err != nil {
			return err
		}
		if _, err := r.drive(ctx, p, frame, 0, fill); err != nil {
			return err
		}
	}
	err := r.rounds(g, ps, func(p *program, round int) (float64, error) {
		at := round * r.Scale.Packets % seq.len
		warm := min(flows, r.Scale.Packets/4)
		if _, err := r.drive(ctx, p, frame, at, warm); err != nil {
			return 0, err
		}
		return r.drive(ctx, p, frame, at+warm, r.Scale.Packets)
	})
	if err != nil || dist != DistUniform || flows == 1 || flows > o.flows {
		return err
	}

	g.State = StateNew
	return r.rounds(g, ps, func(p *program, round int) (float64, error) {
		if err := p.clear(); err != nil {
			return 0, err
		}
		return r.drive(ctx, p, frame, round*flows%seq.len, flows)
	})
}
