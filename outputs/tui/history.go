package tui

import (
	"slices"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// sample is the traffic of an interval, in bytes of the rate layer.
type sample struct {
	end          int64 // Unix nanoseconds; ignores clock changes since the start of the run
	length       time.Duration
	all, in, out uint64
}

// maxSamples is ten minutes at five refreshes a second.
const maxSamples = 3000

// history holds the samples of the last intervals, the oldest first.
type history struct{ samples []sample }

func (h *history) add(s sample) {
	if len(h.samples) >= 2*maxSamples {
		h.samples = slices.Delete(h.samples, 0, maxSamples)
	}
	h.samples = append(h.samples, s)
}

func (h *history) clone() history { return history{slices.Clone(h.samples)} }

// maxPast bounds the number of entries in a past.
const maxPast = 1 << 20

// past holds what each row counted in the last intervals. A row without traffic takes no room. So
// past covers one interval of a million flows, or minutes of a hundred.
type past struct {
	intervals []*pastInterval // the oldest first
	entries   int
	spare     *pastInterval
}

type pastInterval struct {
	end    int64
	length time.Duration
	rows   []int32 // index in the store; negative: gone
	bytes  []float32
	out    []float32 // of bytes, if rows are of two ends
}

func (p *pastInterval) add(row int32, bytes, out uint64) {
	p.rows = append(p.rows, row)
	p.bytes = append(p.bytes, float32(bytes))
	p.out = append(p.out, float32(out))
}

// begin returns an empty interval.
func (p *past) begin(end int64, length time.Duration) *pastInterval {
	in := p.spare
	p.spare = nil
	if in == nil {
		in = &pastInterval{}
	}
	in.end, in.length, in.rows, in.bytes, in.out = end, length, in.rows[:0], in.bytes[:0], in.out[:0]
	return in
}

// end adds the interval, and removes the oldest ones if there are too many.
func (p *past) end(in *pastInterval) {
	p.intervals = append(p.intervals, in)
	p.entries += len(in.rows)
	gone := 0
	for gone < len(p.intervals)-1 && (p.entries > maxPast || len(p.intervals)-gone > maxSamples) {
		p.spare = p.intervals[gone]
		p.entries -= len(p.spare.rows)
		gone++
	}
	p.intervals = slices.Delete(p.intervals, 0, gone)
}

// renumber applies new indexes of rows.
func (p *past) renumber(moved []int32) {
	for _, in := range p.intervals {
		for i, row := range in.rows {
			if row >= 0 {
				in.rows[i] = moved[row]
			}
		}
	}
}

func (p *past) clone() past {
	c := past{entries: p.entries}
	for _, in := range p.intervals {
		c.intervals = append(c.intervals, &pastInterval{in.end, in.length, slices.Clone(in.rows), slices.Clone(in.bytes), slices.Clone(in.out)})
	}
	return c
}

// samplesOf returns the samples of one row of a view.
func (s *store) samplesOf(v *view, key *flow.Packed) []sample {
	// part has the direction of each store row that belongs to the view's row, or not.
	const (
		not  = -1
		near = 3 // of two ends
		far  = 4
	)
	rows := s.rows.All()
	part := make([]int8, len(rows))
	var buf [2]projected
	for i := range rows {
		part[i] = not
		for _, p := range s.project(v, &rows[i], &buf) {
			switch {
			case p.key != *key:
			case s.dims.TwoSided() && p.far:
				part[i] = far
			case s.dims.TwoSided():
				part[i] = near
			default:
				part[i] = int8(p.dir)
			}
		}
	}
	samples := make([]sample, 0, len(s.past.intervals))
	for _, in := range s.past.intervals {
		sample := sample{end: in.end, length: in.length}
		for i, row := range in.rows {
			if row < 0 || part[row] == not {
				continue
			}
			bytes := uint64(in.bytes[i])
			sample.all += bytes
			sent := min(uint64(in.out[i]), bytes)
			switch part[row] {
			case int8(flow.Ingress):
				sample.in += bytes
			case int8(flow.Egress):
				sample.out += bytes
			case near:
				sample.in += bytes - sent
				sample.out += sent
			case far:
				sample.in += sent
				sample.out += bytes - sent
			}
		}
		samples = append(samples, sample)
	}
	return samples
}
