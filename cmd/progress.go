package cmd

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/pktstat/pktstat/internal/count/engine"
)

const (
	progressAfter = time.Second            // a shorter run shows none
	progressEvery = 200 * time.Millisecond // people can read five a second; more flicker
	rateOver      = time.Second            // the shortest time for a rate
)

// progress shows the progress of a run.
func (c *console) progress(p engine.Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.width == 0 || c.ended || p.Elapsed < progressAfter {
		return
	}
	line, due := c.meter.line(p)
	if !due {
		return
	}
	// Leave the last column free, because some terminals wrap when it is written.
	_, _ = io.WriteString(c.w, eraseLine+line[:min(len(line), c.width-1)])
	c.shown = true
}

// meter makes progress lines. Its rate covers the last second or so, not the whole run.
type meter struct {
	now       func() time.Time
	rows      string    // the word for rows
	last      time.Time // of the last line
	old, base sample    // the rate is from old to now; base is the next old
}

type sample struct {
	at      time.Duration // since the start of the run
	packets uint64
}

func (m *meter) line(p engine.Progress) (line string, due bool) {
	now := m.now()
	if now.Sub(m.last) < progressEvery {
		return "", false
	}
	m.last = now
	cur := sample{p.Elapsed, p.Total.Packets}
	rate := float64(0)
	if d := (cur.at - m.old.at).Seconds(); d > 0 {
		rate = float64(cur.packets-m.old.packets) / d
	}
	if cur.at-m.base.at >= rateOver {
		m.old, m.base = m.base, cur
	}
	return fmt.Sprintf("%s  %s packets  %s packets/s  %s %s",
		p.Elapsed.Truncate(time.Second), grouped(cur.packets), short(rate), grouped(uint64(max(p.Flows, 0))), cmp.Or(m.rows, "flows")), true
}

// grouped formats a number with commas.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short formats a number with three digits and an SI prefix.
func short(v float64) string {
	for _, p := range []struct {
		unit float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		// 999.5k would round to 1000k.
		if v >= p.unit*0.9995 {
			return fmt.Sprintf("%.3g%s", v/p.unit, p.name)
		}
	}
	return fmt.Sprintf("%.0f", v)
}
