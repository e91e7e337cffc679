package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/registry"
)

// interval ends an interval: it sends the report to the outputs that want it, and adds the
// interval to the run's totals.
func (r *run) interval() {
	empty := !r.end.After(r.intervalStart) && r.ledger.Sums(ledger.Interval).Total.IsZero()
	if wantsIntervals(r.c.Outputs) && !empty {
		rep := r.report(ledger.Interval, r.workers.top(registry.WhenInterval))
		r.workers.interval(rep, r.clock == registry.ClockSource)
		r.intervalStart = r.end
		r.ledger.EndInterval()
		r.links.endInterval()
	}
}

// final sends the report of the whole run.
func (r *run) final() {
	r.ledger.EndInterval()
	r.links.endInterval()
	rep := r.report(ledger.Run, r.workers.top(registry.WhenFinal))
	rep.Final = true
	if rep.Total.IsZero() {
		rep.Notes = slices.Concat(rep.Notes, []string{r.emptyNote()})
	}
	r.workers.final(rep)
}

// emptyNote returns a note that explains a run without packets.
func (r *run) emptyNote() string {
	if r.clock == registry.ClockSource {
		return "no packet was read: the capture has none"
	}
	if r.cand.Backend.Caps.Has(registry.CapInterfaces) {
		var names []string
		for _, i := range r.attachment.Interfaces {
			if !slices.Contains(names, i.Name) {
				names = append(names, i.Name)
			}
		}
		switch {
		case len(names) == 0:
			return "no packet was seen: there was no interface"
		case len(names) <= fewInterfaces && r.c.Env.Follow != nil: // any, or a pattern
			return "no packet was seen on " + strings.Join(names, ", ")
		case len(names) <= fewInterfaces:
			return fmt.Sprintf("no packet was seen on %s: traffic may use another interface (-i any counts on all that are up)", strings.Join(names, ", "))
		}
	}
	return "no packet was seen"
}

// fewInterfaces is the number of interfaces that a note names.
const fewInterfaces = 4

func (r *run) report(span ledger.Span, top int) *flow.Report {
	r.seq++
	a := &r.attachment
	sel := r.ledger.Select(span, top, r.order(span))
	rep := &flow.Report{
		Seq: r.seq, Backend: r.cand.Name, Attach: a.Method, Reason: r.cand.Reason, Alternatives: r.alternatives,
		Interfaces: a.Interfaces, Files: a.Files, Cgroups: a.Cgroups, Origin: r.c.Origin,
		Notes: a.Notes, PacketsInexact: a.PacketsInexact,
		Start: r.intervalStart, End: r.end,
		Dims: r.c.Dims, Layers: r.cand.Backend.Layers, RateLayer: r.rate, Sort: r.c.sort().Name,
		Sums: r.ledger.Sums(span), Run: r.ledger.Sums(ledger.Run),
		LostBytesUnknown: r.bytesUnknown,
		FlowCount:        sel.Count, Packed: sel.Rows, Retransmits: r.ledger.Retransmits(span),
	}
	rep.Rest = sel.Rest
	if span == ledger.Run {
		rep.Start = r.start
	} else if took := rep.Duration(); took < r.c.minInterval() {
		// The interval was ended early by a signal, or by SIGUSR1.
		rep.Notes = slices.Concat(rep.Notes, []string{fmt.Sprintf("this interval is only %v long: its rates are noise", took.Round(10*time.Microsecond))})
	}
	r.links.report(rep, span)
	r.labels.report(rep)
	return rep
}

// readable returns a row with all fields that --sort takes, except its counters.
func (r *run) readable(p *flow.PackedRow) flow.Row {
	row := p.Readable()
	for i := range r.attachment.Interfaces {
		if r.attachment.Interfaces[i].Index == row.Ifindex {
			row.Iface = r.attachment.Interfaces[i].Name
		}
	}
	row.Owner = r.labels.grouped.Get(p.Key.OwnerID)
	return row
}
