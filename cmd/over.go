package cmd

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pktstat/pktstat/internal/count/engine"
)

// defaultWindow is the window of a rate without a window.
const defaultWindow = time.Second

// measures are the keys of --exit-over, with the units of their values.
var measures = []struct {
	key   string
	of    engine.Measure
	units map[string]float64
}{
	{"rate", engine.MeasureBits, map[string]float64{"": 1, "bit": 1, "bps": 1, "B": 8, "Bps": 8}},
	{"pps", engine.MeasurePackets, map[string]float64{"": 1, "pps": 1}},
	{"bytes", engine.MeasureTotalBytes, map[string]float64{"": 1, "B": 1}},
	{"packets", engine.MeasureTotalPackets, map[string]float64{"": 1}},
}

// addOver adds a threshold such as rate=1Gbit/5s.
func (cl *commandLine) addOver(s string) error {
	t, err := parseThreshold(s)
	if err == nil {
		cl.over = append(cl.over, t)
	}
	return err
}

func parseThreshold(s string) (t engine.Threshold, err error) {
	t.Text = "--exit-over " + s
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		return t, errors.New("must be KEY=VALUE, like rate=1Gbit/5s or packets=1M")
	}
	for _, m := range measures {
		if m.key != key {
			continue
		}
		t.Of = m.of
		value, window, hasWindow := strings.Cut(value, "/")
		window = strings.TrimPrefix(window, "s/") // 1Gbit/s/5s
		switch {
		case hasWindow && !m.of.IsRate():
			return t, fmt.Errorf("%s is of the whole run: a window (/%s) makes no sense", key, window)
		case hasWindow && window == "s": // 1Gbit/s
			t.Window = defaultWindow
		case hasWindow:
			if t.Window, err = parseDuration(window); err == nil && t.Window < minRefresh {
				err = fmt.Errorf("a window must have at least %s", minRefresh)
			}
		case m.of.IsRate():
			t.Window = defaultWindow
		}
		if err != nil {
			return t, err
		}
		t.Limit, err = parseAmount(value, m.units)
		return t, err
	}
	return t, withGuess(fmt.Errorf("unknown key %q: there are rate, pps, bytes, packets", key), key, []string{"rate", "pps", "bytes", "packets"})
}

// prefixes of SI and of IEC 80000-13.
var prefixes = map[string]float64{
	"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}

// parseAmount parses a number with a prefix and a unit, such as 1.5Gbit.
func parseAmount(s string, units map[string]float64) (float64, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, fmt.Errorf("%q is not an amount like 100, 1.5G or 20Mbit", s)
	}
	for unit, factor := range units {
		if prefix, ok := strings.CutSuffix(s[len(digits):], unit); ok {
			if p, ok := prefixes[prefix]; ok {
				return v * p * factor, nil
			}
		}
	}
	err = fmt.Errorf("%q: unknown unit %q: use %s", s, s[len(digits):], unitsText(units))
	if near := guessedUnit(s[len(digits):], units); near != "" {
		err = fmt.Errorf("%w; is %s meant?", err, digits+near)
	}
	return 0, err
}

// unitsText names the units and their prefixes.
func unitsText(units map[string]float64) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(units)), func(u string) bool { return u == "" })
	text := "k, M, G or T"
	if len(names) > 0 {
		text += ", and " + strings.Join(names, ", ")
	}
	return text
}
