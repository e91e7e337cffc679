package cmd

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/registry"
)

// asksForOwners reports whether the command line asks for processes: by --process, or
// by grouping by what only they have.
func (cl *commandLine) asksForOwners() bool {
	return cl.process.on || cl.dims&(flow.DimComm|flow.DimContainer) != 0 ||
		cl.dims&flow.DimsOwner != 0 && !cl.dims.Has(flow.DimsFlow)
}

// stages are the steps between the backend and the outputs. The sockets are those of the
// network namespace that the interfaces are in.
func (s *session) stages(cl *commandLine, where *registry.NetNS) []engine.StageOpener {
	return []engine.StageOpener{{
		Name: "processes",
		Wanted: func(c engine.Candidate) bool {
			return c.Backend.Caps.Has(registry.CapProcess) && !cl.process.off || c.Backend.Caps.Has(registry.CapLive) && cl.asksForOwners()
		},
		Open: func(ctx context.Context, used iter.Seq[uint32]) (engine.Stage, error) {
			owners := ids.New(cl.dims)
			var a *process.Attributor
			err := where.Inside(func() (err error) {
				a, err = process.Open(ctx, process.Options{Owners: owners, MaxSockets: max(cl.maxFlows, 1024), Now: s.Now, Debugf: s.debugf})
				return err
			})
			if err != nil {
				return nil, err
			}
			return &attribution{Attributor: a, owners: owners, used: used, sweepAt: sweepOwners}, nil
		},
	}}
}

// refuseNoProcess: a capture does not tell whose packets they were.
func (cl *commandLine) refuseNoProcess(c choose.Choice) error {
	if cl.asksForOwners() && !c.Has(registry.CapLive) && !c.Has(registry.CapProcess) {
		return fmt.Errorf("%w: backend %s reads captures, which do not tell whose traffic it is: neither --process nor --by %v makes sense",
			registry.ErrUsage, c.Backends[0].Name, flow.DimsOwner)
	}
	return nil
}

// sweepOwners is how many owners there are before those that no row has any more are
// looked for.
const sweepOwners = 4096

// attribution is the stage that gives flows their owners.
type attribution struct {
	*process.Attributor
	owners  *ids.Table
	used    iter.Seq[uint32] // by rows
	sweepAt int
}

// Begin implements [engine.Stage].
func (a *attribution) Begin(ctx context.Context) {
	a.Sync(ctx)
	if a.owners.Len() > a.sweepAt {
		a.owners.Sweep(a.used)
		a.sweepAt = max(sweepOwners, 2*a.owners.Len())
	}
}

// Records implements [engine.Stage].
func (a *attribution) Records(recs []flow.Record) { a.Attribute(recs) }

// Report implements [engine.Stage].
func (a *attribution) Report(r *flow.Report) {
	r.Owners = map[uint32]flow.Owner{}
	for _, row := range r.Packed {
		if id := row.Key.OwnerID; id != 0 {
			if _, ok := r.Owners[id]; !ok {
				r.Owners[id] = a.owners.Get(id)
			}
		}
	}
	r.Notes = slices.Concat(r.Notes, a.Notes())
}
