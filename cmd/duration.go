package cmd

import (
	"errors"
	"flag"
	"math"
	"strconv"
	"time"
)

// parseDuration parses 10, 0.5 and 1h30m. A number without a unit is in seconds.
func parseDuration(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(inSeconds(s)); err == nil {
		return d, nil
	}
	return 0, errors.New("not a duration: use seconds, or a number with a unit, like 10, 30s, 5m or 1h30m")
}

// inSeconds adds the unit to a bare number.
func inSeconds(s string) string {
	if v, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(v, 0) && !math.IsNaN(v) {
		return s + "s"
	}
	return s
}

// isDuration reports whether a plugin's option is a duration.
func isDuration(v flag.Value) bool {
	g, ok := v.(flag.Getter)
	if !ok {
		return false
	}
	_, ok = g.Get().(time.Duration)
	return ok
}
