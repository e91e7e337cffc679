// Package bench measures what counting costs: the programs of pktstat, an empty
// program, a floor below which no flow table can be, and other projects' programs if
// they are given, all in the same rounds. `make bench` runs it; docs/performance.md
// explains the figures.
//
// Everything needs root. Live frames are sent in a network namespace that goes away
// with the thread that made it.
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
	Root        string   // of the repository, for the backends' programs
	Hooks       []Hook   // tc, xdp
	Stack       []Hook   // where the experiment stack attaches programs; empty: wherever it can
	Experiments []string // names from [Experiments]; empty: all
	Peers       []Peer
	Against     []Checkout
	Scale       Scale
	CPU         int                              // where programs run
	Progress    func(format string, args ...any) // one line about what is measured next
}

// Checkout is another version of this repository, whose programs are measured too. They
// must have the table's layout in common.
type Checkout struct{ Name, Root string }

// Scale is how much is measured.
type Scale struct {
	Rounds  int   `json:"rounds"`
	Packets int   `json:"packets"` // of one measurement
	Flows   []int `json:"flows"`   // powers of two
	Table   int   `json:"table"`   // flows that tables are for by default
	Fit     int   `json:"fit"`     // from so many flows on, tables are sized for them too
	Report  []int `json:"report"`  // flows that are read out

	FloodPackets int `json:"flood_packets"`
	LivePackets  int `json:"live_packets"`
	Exchanges    int `json:"exchanges"`
}

// Full is what `make bench` measures: ratios can be read from it.
func Full() Scale {
	return Scale{
		Rounds: 11, Packets: 500_000, Table: 131072, Fit: 1 << 20,
		Flows: []int{1, 1 << 10, 1 << 16, 1 << 20, 1 << 22}, Report: []int{1 << 16, 1 << 20},
		FloodPackets: 11_000_000, LivePackets: 1_000_000, Exchanges: 10_000,
	}
}

// Quick runs everything once or twice, in seconds. Its figures mean nothing.
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

// Run measures. What was measured before an error is in the result.
func Run(ctx context.Context, c Config) (*Result, error) {
	for _, name := range c.Experiments {
		if !slices.Contains(Experiments(), name) {
			return nil, fmt.Errorf("there is no experiment %q: there are %v", name, Experiments())
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

// runner is a run of the protocol; one goroutine, tied to a CPU, owns it.
type runner struct {
	Config
	*thread
	result *Result
}

// contenders are the programs that are measured at a hook.
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

// random returns the source of the run's order of flows: the same in every run.
func (r *runner) random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// rounds measures every program in every round, in an order that rotates, and adds
// the group to the result.
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

// defaults is how programs are loaded to be measured as shipped.
func (r *runner) defaults(h Hook) loadOptions { return loadOptions{hook: h, flows: r.Scale.Table} }

// fitting is how they are loaded to hold so many flows, if the default does not.
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
