package sourcetest

import (
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

func (f *fake) options() Options {
	o := Options{
		Backend:  "fake",
		Setup:    func(testing.TB) Setup { return Setup{Args: []string{"-file=x"}} },
		Failures: []Failure{{Name: "no file", Is: registry.ErrUsage}},
		Want:     fakeWant,
		Patience: 500 * time.Millisecond,
		lookup:   func(string) (registry.Backend, error) { return f.backend(), nil },
	}
	if f.live {
		o.Traffic = func(testing.TB) {
			for range fakePackets {
				f.wire.send(1)
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
	return o
}

func TestSoundSources(t *testing.T) {
	t.Run("file", func(t *testing.T) { Run(t, (&fake{}).options()) })
	t.Run("live", func(t *testing.T) { Run(t, (&fake{live: true}).options()) })
	t.Run("out of order", func(t *testing.T) { Run(t, (&fake{broken: "out of order"}).options()) })
}

// The named check must find each defect, with the given message. (Not parallel, because a leak
// would show in another test.)
func TestBrokenSources(t *testing.T) {
	for check, defects := range map[string]map[string]string{
		"registration": {
			"summary":            "not one line",
			"caps":               "exactly one of live and file",
			"live: no direction": "sees ingress, egress or both",
			"layers":             "every backend fills LayerIP",
			"clock":              "does not go with",
			"wants":              "Wants names",
			"shorthand":          "which is no option",
			"usage":              "no usage",
			"option name":        "lower-case words",
		},
		"configs are independent": {"shared config": "show in another"},
		"probe": {
			"verdict":       "is not known",
			"probe error":   "but with an error",
			"probe says no": "Probe returns no, but",
			"probe kind":    "the error is not ErrUnsupported",
			"probe denied":  "without permission it is not known",
			"no checks":     "no checks",
			"check reason":  "a reason is needed",
			"probe leaks":   "Probe leaves goroutines",
			"probe hangs":   "Probe has not returned",
		},
		"close": {
			"close leaks goroutine":       "Close after Open leaves goroutines",
			"live: close leaks goroutine": "Close after Open leaves goroutines",
			"close leaks file":            "leaves open files: [/dev/null",
			"close error":                 "cannot close",
			"close twice":                 "file already closed",
			"close hangs":                 "Close has not returned",
			"open hangs":                  "Open has not returned",
			"nil source":                  "neither a source nor an error",
		},
		"cancel": {
			"ignores cancel":     "Collect has not returned",
			"cancel is an error": "context that has ended: context canceled",
			"never closes":       "has not called WindowClosed",
			"live: never closes": "has not called WindowClosed",
		},
		"failed open": {
			"failed open leaks": "leaves open files",
			"open succeeds":     "Open succeeded",
			"source and error":  "along with the error",
			"kind of error":     `the error is not "usage"`,
		},
		"counts": {
			"loses one":                     "counted {Packets:9 Bytes:900 FrameBytes:1026}",
			"one byte":                      "counted {Packets:10 Bytes:1010",
			"no packets":                    "counts no packets",
			"first after last":              "ends before it begins",
			"key":                           "packs differently",
			"not IP":                        "is not IP",
			"short frames":                  "fewer frame bytes than",
			"ip only":                       "Layers does not promise",
			"interface":                     "does not list",
			"outside the window":            "in a window from",
			"earliest after the start":      "in a window from",
			"EOF once":                      "Collect after io.EOF adds records",
			"counts to other":               "counted {Packets:12",
			"method":                        "no method",
			"live: one byte":                "counted {Packets:10 Bytes:1010",
			"live: counts again later":      "counted {Packets:11",
			"never closes":                  "a record before WindowClosed",
			"record first":                  "a record before WindowClosed",
			"closes twice":                  "WindowClosed twice",
			"closes for records only":       "has not called WindowClosed",
			"live: never closes":            "a record before WindowClosed",
			"live: record first":            "a record before WindowClosed",
			"live: counts after the window": "in a window from",
			"live: closes twice":            "WindowClosed twice",
		},
		"counts by interval": {
			"loses at window ends":      "the traffic was",
			"overlapping windows":       "follows one that ends at",
			"ignores interval":          "one Collect returned everything",
			"live: loses while running": "the traffic was",
		},
	} {
		for defect, want := range defects {
			t.Run(check+"/"+defect, func(t *testing.T) {
				f := &fake{broken: defect}
				if rest, ok := strings.CutPrefix(defect, "live: "); ok {
					f.live, f.broken = true, rest
				}
				failed, log := record(t, func(tb testing.TB) { run(check, tb, f.options()) })
				if !failed || !strings.Contains(log, want) {
					t.Fatalf("failed: %v, and not with %q:\n%s", failed, want, log)
				}
			})
		}
	}
}

func run(name string, tb testing.TB, o Options) {
	for _, c := range checks {
		if c.name == name {
			c.run(tb, o.withDefaults(tb))
			return
		}
	}
	tb.Fatal("there is no check ", name)
}

// With Match, other traffic on the interface is ignored, but Overflow and Lost must stay 0.
func TestMatch(t *testing.T) {
	o := (&fake{}).options()
	o.Match = func(k flow.Key) bool { return k.Proto == flow.TCP }
	o.Want = flow.Counters{}
	checkCounts(t, o.withDefaults(t))

	o = (&fake{broken: "counts to other"}).options()
	o.Match = func(k flow.Key) bool { return k.Proto == flow.UDP }
	if failed, _ := record(t, func(tb testing.TB) { checkCounts(tb, o.withDefaults(tb)) }); !failed {
		t.Error("with Match, packets in Other were accepted")
	}
}

func TestOptionsAreNeeded(t *testing.T) {
	for _, o := range []Options{{}, {Setup: func(testing.TB) Setup { return Setup{} }}} {
		if failed, _ := record(t, func(tb testing.TB) { o.withDefaults(tb) }); !failed {
			t.Errorf("accepted %+v", o)
		}
	}
}
