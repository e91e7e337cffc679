// Package bench measures the cost of counting. It compares pktstat's programs with an empty
// program, and with a floor, the least that any flow table costs. It can also measure other
// projects' programs. All are measured in the same rounds. `make bench` runs it;
// docs/performance.md explains the numbers.
//
// The package needs root. It sends live frames in a network namespace that ends with its thread.
package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Config is what to measure.
type Config struct {
	Root        string   // of the repository with the backends' programs
	Hooks       []Hook   // tc, xdp
	Stack       []Hook   // hooks of the experiment stack; empty: all that work
	Experiments []string // names from [Experiments]; empty: all
	Peers       []Peer
	Against     []Checkout
	Scale       Scale
	CPU         int                              // on which programs run
	Progress    func(format string, args ...any) // called before each measurement
}

// Checkout is another version of this repository, whose programs are also measured. Its table must
// have the same layout.
type Checkout struct{ Name, Root string }

// Scale is how much to measure.
type Scale struct {
	Rounds  int   `json:"rounds"`
	Packets int   `json:"packets"` // in one measurement
	Flows   []int `json:"flows"`   // powers of two
	Table   int   `json:"table"`   // flows for which tables are sized by default
	Fit     int   `json:"fit"`     // from this number of flows on, tables are also sized to fit
	Report  []int `json:"report"`  // flows that a report reads

	FloodPackets int `json:"flood_packets"`
	LivePackets  int `json:"live_packets"`
	Exchanges    int `json:"exchanges"`
}

// Full is the scale of `make bench`. Its ratios are meaningful.
func Full() Scale {
	return Scale{
		Rounds: 11, Packets: 500_000, Table: 131072, Fit: 1 << 20,
		Flows: []int{1, 1 << 10, 1 << 16, 1 << 20, 1 << 22}, Report: []int{1 << 16, 1 << 20},
		FloodPackets: 11_000_000, LivePackets: 1_000_000, Exchanges: 10_000,
	}
}

// Quick runs everything once or twice, in seconds. Its numbers mean nothing.
func Quick() Scale {
	return Scale{
		Rounds: 2, Packets: 5_000, Table: 4096, Fit: 1 << 14,
		Flows: []int{1, 1 << 10}, Report: []int{1 << 10},
		FloodPackets: 60_000, LivePackets: 5_000, Exchanges: 200,
	}
}

// experiment is one part of the protocol.
type experiment struct {
	name string
	run  func(*runner, context.Context) error
}

var experiments = []experiment{
	{"micro", (*runner).micro},
	{"flows", (*runner).flows},
	{"flood", (*runner).flood},
	{"live", (*runner).live},
	{"contention", (*runner).contention},
	{"report", (*runner).report},
	{"stack", (*runner).stack},
}

// Experiments returns the names of all experiments, in order.
func Experiments() []string {
	var names []string
	for _, e := range experiments {
		names = append(names, e.name)
	}
	return names
}

// Run measures. With an error, it returns the results so far.
func Run(ctx context.Context, c Config) (*Result, error) {
	for _, name := range c.Experiments {
		if !slices.Contains(Experiments(), name) {
			return nil, fmt.Errorf("no experiment %q: choose from %v", name, Experiments())
		}
	}
	r := &runner{Config: c, result: newResult(&c)}
	t, err := pin(c.CPU)
	if err != nil {
		return nil, err
	}
	r.thread = t
	for _, e := range experiments {
		if len(c.Experiments) > 0 && !slices.Contains(c.Experiments, e.name) {
			continue
		}
		if err = e.run(r, ctx); err != nil {
			err = fmt.Errorf("experiment %s: %w", e.name, err)
			break
		}
	}
	r.result.Took = time.Since(r.result.Time).Seconds()
	return r.result, errors.Join(err, t.unpin())
}

// runner is a run of the protocol. One goroutine, on one CPU, uses it.
type runner struct {
	Config
	*thread
	result *Result
}

// contenders returns the programs to measure at a hook.
func (r *runner) contenders(h Hook) []contender {
	all := []contender{empty{}, floor{}, ours{label: Ours, root: r.Root}}
	for _, c := range r.Against {
		all = append(all, ours{label: c.Name, root: c.Root})
	}
	for _, p := range r.Peers {
		if p.Hook == h {
			all = append(all, peer{p})
		}
	}
	return all
}

// random returns the random numbers for the order of flows, the same in every run.
func (r *runner) random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// rounds measures every program in every round, in rotating order, and adds the group to the
// result.
func (r *runner) rounds(g Group, ps programs, measure func(p *program, round int) (float64, error)) error {
	for _, p := range ps {
		g.Series = append(g.Series, Series{Program: p.name})
	}
	for round := range r.Scale.Rounds {
		for i := range ps {
			k := (i + round) % len(ps)
			v, err := measure(ps[k], round)
			if err != nil {
				return fmt.Errorf("%s: %w", ps[k].name, err)
			}
			g.Series[k].Rounds = append(g.Series[k].Rounds, v)
		}
	}
	r.result.Groups = append(r.result.Groups, g)
	return nil
}

// defaults returns the options to load programs as shipped.
func (r *runner) defaults(h Hook) loadOptions { return loadOptions{hook: h, flows: r.Scale.Table} }

// fitting returns the options to load programs with tables for this number of flows.
func (r *runner) fitting(h Hook, flows int) (loadOptions, string) {
	if flows < r.Scale.Fit {
		return r.defaults(h), TableDefault
	}
	return loadOptions{hook: h, flows: flows, fit: true}, TableFit
}

// with loads all programs of a hook and more, calls f with them, and closes them.
func (r *runner) with(o loadOptions, f func(programs) error, more ...contender) error {
	ps, err := loadAll(append(r.contenders(o.hook), more...), o)
	if err == nil {
		err = f(ps)
	}
	return errors.Join(err, ps.close())
}
