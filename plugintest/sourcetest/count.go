package sourcetest

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// tally holds the results of all Collects of one source.
type tally struct {
	sum, other, lost flow.Counters
	start, end       time.Time // of all windows
	windows          int       // Collects that returned records
	bad              int       // malformed records
}

// checkEvery is the time between two Collects of a live source. It is short, so that some
// Collects run during the traffic.
const checkEvery = 20 * time.Millisecond

// count opens a source, collects the traffic and compares it with Want. If during is set, it
// collects while the traffic runs, otherwise afterwards.
func (s *subject) count(o *Options, set Setup, during bool) tally {
	t := tally{end: time.Now()}
	s.clock = s.clockOf(set)
	if s.clock == registry.ClockSource {
		t.end = time.Time{}
	}
	src := s.mustOpen(set)
	defer s.close(src)
	traffic := make(chan struct{})
	go func() {
		defer close(traffic)
		if o.Traffic != nil {
			o.Traffic(s.tb)
		}
	}()
	if !during {
		<-traffic
	}
	if s.clock == registry.ClockSource {
		s.toEOF(o, src, &t)
	} else {
		s.untilQuiet(o, src, &t, traffic)
	}
	if o.Match == nil {
		t.sum.Add(t.other)
		t.sum.Add(t.lost)
	} else if !t.other.IsZero() || !t.lost.IsZero() {
		s.tb.Errorf("counted without a flow: other %+v, lost %+v", t.other, t.lost)
	}
	if t.sum != o.Want {
		s.tb.Errorf("counted %+v, the traffic was %+v", t.sum, o.Want)
	}
	return t
}

// toEOF collects from a source until io.EOF.
func (s *subject) toEOF(o *Options, src registry.Source, t *tally) {
	for {
		err := s.take(o, src, t)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.tb.Fatalf("Collect: %v", err)
		}
	}
	before := t.sum
	if err := s.take(o, src, t); !errors.Is(err, io.EOF) {
		s.tb.Errorf("Collect after io.EOF: %v", err)
	}
	if t.sum != before {
		s.tb.Errorf("Collect after io.EOF adds records")
	}
}

// untilQuiet collects from a live source until all traffic is counted. It collects once more, to
// find packets that are counted twice.
func (s *subject) untilQuiet(o *Options, src registry.Source, t *tally, traffic <-chan struct{}) {
	take := func() {
		if err := s.take(o, src, t); err != nil {
			s.tb.Fatalf("Collect: %v", err)
		}
	}
	for over := false; !over; time.Sleep(checkEvery) {
		select {
		case <-traffic:
			over = true
		default:
		}
		take()
	}
	for end := time.Now().Add(o.Patience); t.sum.Packets < o.Want.Packets && time.Now().Before(end); {
		time.Sleep(checkEvery)
		take()
	}
	time.Sleep(5 * checkEvery)
	take()
}

// take calls Collect once and checks the batch.
func (s *subject) take(o *Options, src registry.Source, t *tally) error {
	var attached registry.Attachment
	records := 0
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	var b *flow.Batch
	closed := func() {
		if b.End.IsZero() && s.clock == registry.ClockWall {
			b.End = time.Now()
		}
	}
	b = flow.NewBatch(flow.BatchHooks{WindowClosed: closed, Records: func(recs []flow.Record) error {
		if a, ok := src.(registry.Attached); ok {
			attached = a.Attachment()
			if attached.Method == "" {
				s.tb.Errorf("Attachment has no method")
			}
		}
		records += len(recs)
		for i := range recs {
			r := &recs[i]
			first, last = min(first, r.First), max(last, r.Last)
			if problem := s.problem(r, attached.Interfaces); problem != "" {
				if t.bad++; t.bad <= 3 {
					s.tb.Errorf("a record %s: %+v %+v from %d to %d", problem, r.Key.Key(), r.Counters, r.First, r.Last)
				}
			}
			if o.Match == nil || o.Match(r.Key.Key()) {
				t.sum.Add(r.Counters)
			}
		}
		return nil
	}})
	b.Start = t.end
	err := s.collect(context.Background(), src, b)
	t.other.Add(b.Overflow.Total())
	t.lost.Add(b.Lost)
	if records == 0 {
		return err
	}
	t.windows++
	if b.Start.After(b.End) || b.Start.Before(t.end) {
		s.tb.Errorf("a window from %v to %v follows one that ends at %v", b.Start, b.End, t.end)
	}
	from := b.Start
	if !b.Earliest.IsZero() {
		from = b.Earliest
	}
	if first < from.UnixNano() || last > b.End.UnixNano() || from.After(b.Start) {
		s.tb.Errorf("packets from %v to %v in a window from %v to %v, the earliest at %v",
			time.Unix(0, first), time.Unix(0, last), b.Start, b.End, from)
	}
	if t.windows == 1 {
		t.start = b.Start
	}
	t.end = b.End
	return err
}

// problem describes what is wrong with a single record, "" if nothing.
func (s *subject) problem(r *flow.Record, ifaces []flow.Interface) string {
	switch k := r.Key.Key(); {
	case r.Packets == 0:
		return "counts no packets"
	case r.First > r.Last:
		return "ends before it begins"
	case flow.Pack(k) != r.Key:
		return "has a key that packs differently"
	case k.EtherType != 0 && r.Bytes != 0:
		return "has layer-3 bytes and is not IP"
	case k.EtherType == 0 && r.Bytes == 0:
		return "has no layer-3 bytes and is IP"
	case s.b.Layers&flow.LayerFrame == 0 && r.FrameBytes != 0:
		return "has frame bytes that Layers does not promise"
	case s.b.Layers&flow.LayerFrame != 0 && r.FrameBytes < r.Bytes:
		return "has fewer frame bytes than layer-3 bytes"
	case len(ifaces) > 0 && k.Ifindex != 0 &&
		!slices.ContainsFunc(ifaces, func(i flow.Interface) bool { return i.Index == k.Ifindex }):
		return "is of an interface that Attachment does not list"
	}
	return ""
}
