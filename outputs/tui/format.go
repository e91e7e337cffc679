package tui

import (
	"strconv"
	"strings"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/units"
)

// format is the format of numbers.
type format struct {
	system units.System // prefixes of byte counts
	octets bool         // rates in bytes a second, else in bits
}

// next returns the next of the four formats.
func (f format) next() format {
	if f.system == units.IEC {
		f.system = units.SI
		return f
	}
	return format{units.IEC, !f.octets}
}

// String names the units.
func (f format) String() string {
	prefixes := map[units.System]string{units.IEC: "KiB, MiB", units.SI: "kB, MB"}[f.system]
	if f.octets {
		return "rates and counts in " + prefixes
	}
	return "rates in bits, counts in " + prefixes
}

// rate formats bytes over a time as a rate.
func (f format) rate(bytes uint64, d time.Duration) string {
	v := perSecond(bytes, d)
	if f.octets {
		return f.system.Bytes(uint64(v)) + "/s"
	}
	return units.BitRate(8 * v)
}

func (f format) bytes(n uint64) string { return f.system.Bytes(n) }

// grouped formats a number with commas.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// about formats the length of an interval, rounded, because intervals vary a little.
func about(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond} {
		if r := d.Round(unit); (r - d).Abs() <= d/20 {
			return r.String()
		}
	}
	return d.Round(time.Millisecond).String()
}

// clock formats a time as 1:02:03.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	b := []byte(strconv.Itoa(s / 3600))
	for _, v := range []int{s / 60 % 60, s % 60} {
		b = append(b, ':', byte('0'+v/10), byte('0'+v%10))
	}
	return string(b)
}

// amount formats a measure.
func (f format) amount(of *flow.Field, v uint64) string {
	if of.Kind == flow.Bytes {
		return f.bytes(v)
	}
	return grouped(v)
}

func (l *list) received(r *row) uint64 {
	if l.cumulative {
		return r.inTotal
	}
	return r.in
}

func (l *list) sent(r *row) uint64 {
	if l.cumulative {
		return r.outTotal
	}
	return r.out
}

// rateOfOwn returns a function that appends a computed number as a rate.
func rateOfOwn(of func(*list, *row) uint64) func([]byte, *list, *row, *format) []byte {
	return func(b []byte, l *list, r *row, f *format) []byte { return append(b, f.rate(of(l, r), l.span())...) }
}

// volume returns the bytes of a row's rate.
func (l *list) volume(r *row) uint64 { return l.totals(r).At(l.rateLayer) }

// plainRate formats a rate without its unit, which the title has.
func plainRate(v float64) string {
	return strings.Replace(strings.TrimSuffix(units.PacketRate(v), "pps"), " ", "", 1)
}

// appendCount appends a number, with a prefix from ten million on.
func appendCount(b []byte, n uint64) []byte {
	if n < 10_000_000 {
		return strconv.AppendUint(b, n, 10)
	}
	return append(b, plainRate(float64(n))...)
}

// share appends a row's part of the total.
func share(b []byte, l *list, r *row, _ *format) []byte {
	all := l.sums().Total.At(l.rateLayer)
	if all == 0 {
		return append(b, '-')
	}
	b = strconv.AppendFloat(b, 100*float64(l.volume(r))/float64(all), 'f', 1, 64)
	return append(b, '%')
}

// layerName returns the layer of rates.
func layerName(l flow.Layer) string {
	if l == flow.LayerFrame {
		return "layer 2"
	}
	return "layer 3"
}
