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
	empty := !r.end.After(r.intervalStart) && r.views[0].ledger.Sums(ledger.Interval).Total.IsZero()
	if !wantsIntervals(r.c.Outputs) || empty {
		return
	}
	r.seq++
	for _, v := range r.views {
		if v.workers.want(registry.WhenInterval) {
			rep := r.report(v, ledger.Interval, v.workers.top(registry.WhenInterval))
			v.workers.interval(rep, r.clock == registry.ClockSource)
		}
		v.ledger.EndInterval()
	}
	r.intervalStart = r.end
	r.links.endInterval()
}

// final sends the report of the whole run.
func (r *run) final() {
	r.links.endInterval()
	r.seq++
	for _, v := range r.views {
		v.ledger.EndInterval()
		if !v.workers.want(registry.WhenFinal) {
			continue
		}
		rep := r.report(v, ledger.Run, v.workers.top(registry.WhenFinal))
		rep.Final = true
		if rep.Total.IsZero() {
			rep.Notes = slices.Concat(rep.Notes, []string{r.emptyNote()})
		}
		v.workers.final(rep)
	}
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

func (r *run) report(v *view, span ledger.Span, top int) *flow.Report {
	a := &r.attachment
	sel := v.ledger.Select(span, top, r.order(v, span))
	rep := &flow.Report{
		Seq: r.seq, Backend: r.cand.Name, Attach: a.Method, Reason: r.cand.Reason, Alternatives: r.alternatives,
		Interfaces: a.Interfaces, Files: a.Files, Cgroups: a.Cgroups, Origin: r.c.Origin,
		Notes: slices.Concat(a.Notes, flow.CoverageNotes(r.coverage)), PacketsInexact: a.PacketsInexact,
		Coverage: slices.Clone(r.coverage),
		Start:    r.intervalStart, End: r.end,
		Dims: v.dims, Layers: r.cand.Backend.Layers, RateLayer: r.rate, Sort: r.c.sort().Name,
		Sums: v.ledger.Sums(span), Run: v.ledger.Sums(ledger.Run),
		LostBytesUnknown: r.bytesUnknown,
		FlowCount:        sel.Count, Packed: sel.Rows, Sides: sel.Sides,
	}
	rep.Rest = sel.Rest
	rep.Total.AddEnds(&sel.Ends[span], &rep.Overflow)
	rep.Run.Total.AddEnds(&sel.Ends[ledger.Run], &rep.Run.Overflow)
	if span == ledger.Run {
		rep.Start = r.start
	} else if took := rep.Duration(); took < r.c.minInterval() {
		// The interval was ended early by a signal, or by SIGUSR1.
		rep.Notes = slices.Concat(rep.Notes, []string{fmt.Sprintf("this interval is only %v long: its rates are noise", took.Round(10*time.Microsecond))})
	}
	if v.dims.Copies() > 1 {
		rep.Notes = slices.Concat(rep.Notes, []string{"each packet counts at both of its ends: the rows add up to twice the total"})
	}
	r.links.report(rep, span)
	r.labels.report(v, rep)
	return rep
}

// readable returns a row with all fields that --sort takes, except its counters.
func (r *run) readable(v *view, p *flow.PackedRow) flow.Row {
	shown, side := v.ledger.Shown(p)
	row := shown.Readable()
	row.SideMarks = side.SideMarks
	for i := range r.attachment.Interfaces {
		if r.attachment.Interfaces[i].Index == row.Ifindex {
			row.Iface = r.attachment.Interfaces[i].Name
		}
	}
	row.Owner = v.grouped.Get(shown.Key.OwnerID)
	return row
}
