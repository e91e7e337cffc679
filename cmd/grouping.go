package cmd

import (
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// groupRows settles what each output groups rows by, and returns all that there are.
func (cl *commandLine) groupRows(planned []*plannedOutput) (all []flow.Dims, err error) {
	if err := cl.dims.Valid(); err != nil {
		return nil, fmt.Errorf("%w: --by: %w", registry.ErrUsage, err)
	}
	for _, p := range planned {
		if p.by, err = cl.groupBySort(cl.groupingOf(p)); err != nil {
			return nil, err
		}
		if !slices.Contains(all, p.by) {
			all = append(all, p.by)
		}
	}
	return all, nil
}

// groupingOf returns what an output groups rows by: what --by says, else what the output
// prefers, if its rows have the field of --sort.
func (cl *commandLine) groupingOf(p *plannedOutput) flow.Dims {
	if cl.byGiven {
		return cl.dims
	}
	by := p.output.By
	if g, ok := p.config.(registry.Grouper); ok {
		by = g.By()
	}
	if f := cl.sort; by == 0 || f != nil && f.Role != flow.Label && !f.In(by) && f.In(flow.DimsFlow) {
		return flow.DimsFlow
	}
	return by
}

// groupBySort groups rows by the label that they are ordered by: a label of rows that
// are not grouped by it is known too late.
func (cl *commandLine) groupBySort(by flow.Dims) (flow.Dims, error) {
	f := cl.sort
	switch {
	case f == nil || f.Role != flow.Label || f.In(by) && f.Dim&flow.DimsAll == f.Dim || by&f.Dim != 0:
		return by, nil
	case by.Has(flow.DimsFlow) || by.Has(flow.DimsConversation):
		return by | f.Dim, nil
	}
	if f.Dim == 0 && f.By&flow.DimsOwner == 0 {
		return 0, fmt.Errorf("%w: --sort %s needs rows that have it: use --by flow or --by conversation", registry.ErrUsage, f.Name)
	}
	return 0, fmt.Errorf("%w: --sort %s needs rows that have it: add it to --by", registry.ErrUsage, f.Name)
}
