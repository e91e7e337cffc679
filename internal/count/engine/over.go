package engine

import (
	"fmt"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/internal/render/units"
)

// Measure is the quantity of a [Threshold]. It counts each packet once, even if stacked
// interfaces see it several times.
type Measure uint8

// Measures.
const (
	MeasureBits       Measure = iota // bits per second of the rate layer
	MeasurePackets                   // packets per second
	MeasureTotalBytes                // layer-3 bytes since the start
	MeasureTotalPackets
)

// IsRate reports whether the measure is a rate, which needs a window.
func (m Measure) IsRate() bool { return m <= MeasurePackets }

// Threshold ends a run when its measure exceeds Limit.
type Threshold struct {
	Of     Measure
	Limit  float64
	Window time.Duration // shortest time over which a rate is measured
	Text   string        // as the user wrote it
}

// OverError reports an exceeded threshold. The run ended in order, with a final report.
type OverError struct {
	Threshold
	Value float64 // the measured value
}

func (e *OverError) Error() string {
	value := ""
	switch e.Of {
	case MeasureBits:
		value = units.BitRate(e.Value)
	case MeasurePackets:
		value = units.PacketRate(e.Value)
	case MeasureTotalBytes:
		value = units.SI.Bytes(uint64(e.Value))
	case MeasureTotalPackets:
		value = fmt.Sprintf("%.0f packets", e.Value)
	}
	return fmt.Sprintf("%s is exceeded: %s", e.Text, value)
}

// loads are the totals at earlier times, back to the longest window.
type loads []load

type load struct {
	at    time.Time
	total flow.Counters // since the start
}

// load returns the total since the start, with each packet counted once.
func (r *run) load() flow.Counters {
	return r.views[0].ledger.Sums(ledger.Run).Total.Counters.Minus(r.links.repeated)
}

// exceeded checks the thresholds after each Collect.
func (r *run) exceeded() error {
	if len(r.c.Over) == 0 || r.start.IsZero() {
		return nil
	}
	if r.loads == nil {
		r.loads = loads{{at: r.start}}
	}
	now := load{r.end, r.load()}
	var longest time.Duration
	for i := range r.c.Over {
		t := &r.c.Over[i]
		longest = max(longest, t.Window)
		if v, ok := r.measure(t, now); ok && v > t.Limit {
			return &OverError{*t, v}
		}
	}
	r.loads = append(r.loads, now)
	for len(r.loads) > 1 && now.at.Sub(r.loads[1].at) >= longest {
		r.loads = r.loads[1:]
	}
	return nil
}

// measure returns the current value. ok is false for a rate if the run is shorter than the
// window.
func (r *run) measure(t *Threshold, now load) (value float64, ok bool) {
	switch t.Of {
	case MeasureTotalBytes:
		return float64(now.total.Bytes), true
	case MeasureTotalPackets:
		return float64(now.total.Packets), true
	}
	for i := len(r.loads) - 1; i >= 0; i-- {
		took := now.at.Sub(r.loads[i].at)
		if took < t.Window || took <= 0 {
			continue
		}
		counted := now.total.Minus(r.loads[i].total)
		if t.Of == MeasurePackets {
			return float64(counted.Packets) / took.Seconds(), true
		}
		return 8 * float64(counted.At(r.rate)) / took.Seconds(), true
	}
	return 0, false
}

// tick returns the time between two Collects of a live source.
func (c *Config) tick() time.Duration {
	every := min(c.Refresh, collectEvery)
	for i := range c.Over {
		if t := &c.Over[i]; t.Of.IsRate() {
			every = min(every, t.Window)
		}
	}
	return every
}
