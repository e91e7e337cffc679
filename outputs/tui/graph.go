package tui

import (
	"math"
	"strings"
	"time"

	"github.com/pktstat/pktstat/internal/render/units"
)

// atLeast is the shortest time span of a graph of live traffic.
const atLeast = 2 * time.Minute

// bucket is the rate of one column of dots, in bytes a second.
type bucket struct{ all, in, out float64 }

// bucketsOf distributes samples over n buckets of equal length; the last one ends now. A bucket
// begins at a multiple of its length, so that the graph's shape does not change over time.
func bucketsOf(samples []sample, n int, ended bool) ([]bucket, time.Duration) {
	if len(samples) == 0 || n <= 0 {
		return nil, 0
	}
	length := bucketLength(samples, n, ended)
	step := int64(length)
	last := (samples[len(samples)-1].end - 1) / step
	buckets, covered := make([]bucket, n), make([]int64, n)
	for _, s := range samples {
		if s.length <= 0 {
			continue
		}
		begin := s.end - int64(s.length)
		for at := max(begin, (last-int64(n)+1)*step); at < s.end; {
			i := at / step
			until := min((i+1)*step, s.end)
			part := float64(until-at) / float64(s.length)
			b := &buckets[i-last+int64(n)-1]
			b.all += part * float64(s.all)
			b.in += part * float64(s.in)
			b.out += part * float64(s.out)
			covered[i-last+int64(n)-1] += until - at
			at = until
		}
	}
	for i := range buckets {
		if covered[i] == 0 {
			continue
		}
		per := float64(time.Second) / float64(covered[i])
		buckets[i].all *= per
		buckets[i].in *= per
		buckets[i].out *= per
	}
	if covered[n-1] < step/4 && n > 1 { // too short for a rate
		copy(buckets[1:], buckets[:n-1])
		buckets[0] = bucket{}
	}
	return buckets, length
}

// bucketLength returns a round length. During a run, it is at least an interval. After the run, the
// whole run fills the graph.
func bucketLength(samples []sample, n int, ended bool) time.Duration {
	first, last := &samples[0], &samples[len(samples)-1]
	shortest, whole := last.length*9/10, atLeast
	if ended {
		shortest, whole = 0, time.Duration(last.end-first.end)+first.length
	}
	for scale := time.Millisecond; ; scale *= 10 {
		for _, d := range []time.Duration{scale, 2 * scale, 5 * scale} {
			if d >= shortest && d*time.Duration(n) >= whole {
				return d
			}
		}
	}
}

// axis is the width of the labels left of a graph.
const axis = 14

// graph draws samples in Braille dots, two columns and four rows of them in a character. Incoming
// traffic goes up, outgoing down. Without known directions, all goes up.
func (m *model) graph(samples []sample, height int, directions bool) []string {
	left := axis
	if m.width < 60 {
		left = 0
	}
	width := m.width - left - 1
	buckets, length := bucketsOf(samples, 2*width, m.list.final)
	up, down := height, 0
	if directions {
		up = (height + 1) / 2
		down = height - up
	}
	// Each half has its own scale: the answers to a download would be invisible.
	var peak bucket
	for _, b := range buckets {
		peak = bucket{max(peak.all, b.all), max(peak.in, b.in), max(peak.out, b.out)}
	}
	top := bucket{m.format.ceiling(peak.all), m.format.ceiling(peak.in), m.format.ceiling(peak.out)}
	lines := make([]string, height)
	if len(buckets) == 0 {
		return lines
	}
	for y := range lines {
		style, upper := m.theme.in, y < up
		if !upper {
			style = m.theme.out
		}
		cells := make([]rune, 0, width)
		for x := 0; x+1 < len(buckets); x += 2 {
			var dots rune
			for i, b := range buckets[x : x+2] {
				switch {
				case !directions:
					dots |= column8(level(b.all, top.all, up), up-1-y, i, false)
				case upper:
					dots |= column8(level(b.in, top.in, up), up-1-y, i, false)
				default:
					dots |= column8(level(b.out, top.out, down), y-up, i, true)
				}
			}
			if dots == 0 {
				cells = append(cells, ' ')
			} else {
				cells = append(cells, 0x2800+dots)
			}
		}
		label := ""
		if left > 0 {
			label = m.theme.faint.Render(padLeft(m.axisLabel(y, height, up, down, top, length*time.Duration(len(buckets))), left-1)) + " "
		}
		lines[y] = label + style.Render(strings.TrimRight(string(cells), " "))
	}
	return lines
}

func (m *model) axisLabel(y, height, up, down int, top bucket, span time.Duration) string {
	scale := func(v float64) string { return m.format.rate(uint64(v), time.Second) }
	switch {
	case y == 0 && down > 0:
		return "in " + scale(top.in)
	case y == 0:
		return scale(top.all)
	case y == height-1 && down > 0:
		return "out " + scale(top.out)
	case y == height-1:
		return "0"
	case y == up-1 && span > 0:
		return "last " + span.Round(time.Second).String()
	}
	return ""
}

// level returns the height of v in dots: at least one if v is not 0.
func level(v, top float64, height int) int {
	if v <= 0 || top <= 0 {
		return 0
	}
	return min(max(int(math.Round(v/top*float64(4*height))), 1), 4*height)
}

// column8 returns the dots of one column (0 or 1) of the n-th character above or below the axis
// (Unicode Braille patterns, U+2800).
func column8(level, n, column int, downwards bool) rune {
	var dots = [2][4]rune{{0x40, 0x04, 0x02, 0x01}, {0x80, 0x20, 0x10, 0x08}} // from the bottom
	var r rune
	for i := range 4 {
		if level <= 4*n+i {
			break
		}
		if downwards {
			r |= dots[column][3-i]
		} else {
			r |= dots[column][i]
		}
	}
	return r
}

// ceiling returns the next round number in the rate's unit, in bytes a second.
func (f format) ceiling(v float64) float64 {
	unit, base := 1.0/8, 1000.0
	if f.octets {
		unit = 1
		if f.system == units.IEC {
			base = 1024
		}
	}
	for u := unit; ; u *= base {
		for _, d := range []float64{1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200, 300, 500, 700} {
			if d*u >= v && d*u >= 1000*unit {
				return d * u
			}
		}
	}
}
