package pcap

import (
	"math"
	"time"
)

// window cuts the capture's time into intervals that begin with the first packet. All times are
// Unix nanoseconds.
//
// In a file that is out of order, a packet with a time before its window counts in the open
// window. window skips intervals without packets.
type window struct {
	interval   int64 // 0: one window for all
	limit      int64 // length of the run; 0: none
	last       int64 // time at which the run ends, once started
	start, end int64 // of the open window, without its end
	started    bool  // a packet has been seen
	first      bool  // the open window is the first one

	packets   uint64 // in this Collect
	low, high int64  // their times
	newest    int64  // of all packets of the run
}

// open begins a Collect.
func (w *window) open() {
	w.packets, w.low, w.high = 0, math.MaxInt64, math.MinInt64
}

// add counts a packet. It returns false if the packet needs a later window: the next Collect adds
// it again.
func (w *window) add(t int64) bool {
	if t >= w.end && !w.move(t) {
		return false
	}
	w.packets++
	w.low, w.high = min(w.low, t), max(w.high, t)
	return true
}

// move moves a window without packets to the time t, if that is in the run.
func (w *window) move(t int64) bool {
	switch {
	case !w.started:
		w.started, w.first = true, true
		w.start = t
		w.last = after(t, w.limit)
	case w.packets > 0:
		return false
	case t >= w.last:
		w.start = w.last
		return false
	default:
		w.start = t - (t-w.end)%w.interval
	}
	w.end = min(after(w.start, w.interval), w.last)
	return true
}

// after returns t + d, or the end of time if d is 0.
func after(t, d int64) int64 {
	if d <= 0 || t+d < t {
		return math.MaxInt64
	}
	return t + d
}

// done reports whether the run ends with the open window when the next packet is of time t.
func (w *window) done(t int64) bool {
	return w.started && t >= w.last && (w.packets == 0 || w.end == w.last)
}

// due reports whether a packet of time t counts in the open window, or moves it.
func (w *window) due(t int64) bool {
	return !w.started || t < w.end || w.packets == 0 && t < w.last
}

// earliest returns the time of the first packet of a Collect, if that is before the window.
func (w *window) earliest() time.Time {
	if w.packets == 0 || w.low >= w.start {
		return time.Time{}
	}
	return time.Unix(0, w.low).UTC()
}

// close ends a Collect and returns the bounds that it covers: the whole window if it is over,
// otherwise up to the last packet. The next Collect goes on from there. At least one packet must
// have arrived before.
func (w *window) close(over bool) (start, end time.Time) {
	if w.first {
		w.start = min(w.start, w.low) // out of order, before the first report
		w.first = false
	}
	from, to := w.start, max(w.start, w.high)
	w.newest = max(w.newest, w.high)
	if over {
		to = w.end
	}
	w.start = to
	return time.Unix(0, from).UTC(), time.Unix(0, to).UTC()
}
