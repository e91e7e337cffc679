package cmd

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/internal/cli/describe"
	"github.com/pktstat/pktstat/internal/count/engine"
)

// Defaults and limits of the options.
const (
	defaultOutput  = "table"
	defaultTimeout = 10 * time.Minute
	defaultRefresh = time.Second
	minRefresh     = time.Millisecond
	defaultFlows   = 1 << 17
	maxFlows       = 1 << 24 // about 2 GiB of kernel tables on each CPU
)

// commandLine is the options: pktstat's own, and those that plugins add.
type commandLine struct {
	help, version, debug toggle

	backend string
	outputs []outputSpec
	ifaces  []string
	netns   string
	config  string // --config
	note    string

	timeout    time.Duration
	timeoutSet bool
	over       []engine.Threshold
	refresh    time.Duration

	dims     flow.Dims
	byGiven  bool // the user gave --by
	sort     *flow.Field
	top      int
	topSet   bool
	layer    flow.Layer // 0: not given
	maxFlows int

	general, grouping, output []*option // by heading of the help
	backends                  []*mountedBackend
	outputNames               []string
	outputShorthands          []*option
	labels                    []*mountedLabel
	labelToggles              []*option
}

func newCommandLine(a *App) *commandLine {
	cl := &commandLine{
		backend: choose.Auto, timeout: defaultTimeout, refresh: defaultRefresh,
		dims: flow.DimsFlow, maxFlows: defaultFlows,
	}
	cl.general = []*option{
		{name: "iface", short: "i", arg: "NAME", initial: "the default route's", value: adder{cl.setIface}, common: true, values: describe.Values{Kind: describe.Interfaces},
			usage: `interface to count on; repeatable. "any": all that are up; 'veth*': all that match, now or later; '!NAME': not this one`},
		{name: "netns", arg: "NAME|PID|PATH", value: setter(cl.setNetNS), values: describe.Values{Kind: describe.Namespaces},
			usage: "count in this network namespace: its name, a process in it, or its file. Everything else stays in pktstat's own"},
		{name: "timeout", short: "t", arg: "DURATION", initial: "10m", value: setter(cl.setTimeout), common: true,
			usage: "end after this time, like 10 (seconds), 5m or 1h30m; 0: at a signal only. For captures, it is the time in the capture; without it, pktstat reads them to their end. Interactive outputs run until the user quits"},
		{name: "exit-over", arg: "KEY=VALUE", value: adder{cl.addOver},
			usage: "end with exit code 10 when this is exceeded: rate=1Gbit/5s or pps=100k/5s (over that time; default: 1s), packets=1M or bytes=2GB (since the start, layer 3). Repeatable"},
		{name: "backend", short: "b", arg: "NAME", initial: choose.Auto, value: setter(cl.setBackend), common: true, values: words(append(namesOf(a.Backends), choose.Auto)),
			usage: "how packets are seen: see `pktstat backends`"},
		{name: "max-flows", arg: "N", initial: strconv.Itoa(defaultFlows), value: setter(cl.setMaxFlows),
			usage: "bound on memory: flows beyond it are summed up as \"overflow\", the smallest first"},
		{name: "config", arg: "FILE", value: setter(cl.setConfig), once: true, values: describe.Values{Kind: describe.Files},
			usage: "read options that are not given from this TOML file, and from those that `pktstat config` names; none: from no file"},
		{name: "debug", usage: "print more on standard error", value: &cl.debug},
		{name: "version", short: "V", usage: "print the version", value: &cl.version, once: true},
	}
	cl.grouping = []*option{
		{name: "by", arg: "FIELDS", value: adder{cl.addBy}, common: true,
			values: describe.Values{Kind: describe.Words, Words: flow.DimNames()},
			usage: "group rows by these, joined by commas, repeatable; each output has a default, see `pktstat outputs`. " +
				"There are " + strings.Join(flow.DimNames(), ", ")},
		{name: "sort", arg: "FIELD", initial: flow.DefaultSort, value: setter(cl.setSort), common: true, values: words(engine.SortNames()),
			usage: "order of the rows: any field of `pktstat fields`"},
		{name: "top", arg: "N", value: setter(cl.setTop), common: true,
			usage: "show the first N rows and the sum of the rest; 0: all"},
		{name: "layer", arg: "LAYER", value: setter(cl.setLayer), values: words([]string{flow.LayerFrame.String(), flow.LayerIP.String()}),
			usage: "layer of the bytes in rates: frame (layer 2) or ip (layer 3); default: frame, if the backend sees frames"},
	}
	cl.output = []*option{
		{name: "output", arg: "SPEC", initial: defaultOutput, value: adder{cl.addOutput}, common: true, values: describe.Values{Kind: describe.Output},
			usage: "NAME[=TARGET][,KEY=VALUE]..., repeatable: see `pktstat outputs`. TARGET is a file; - or none: standard output"},
		{name: "note", arg: anyText, value: setter(cl.setNote),
			usage: "text for every report, to identify it later"},
		{name: "refresh", short: "r", arg: "DURATION", initial: "1s", value: setter(cl.setRefresh),
			usage: "length of an interval, for outputs that report while counting"},
	}
	cl.mount(a)
	return cl
}

// own returns pktstat's own options except help.
func (cl *commandLine) own() []*option { return slices.Concat(cl.general, cl.grouping, cl.output) }

// all returns every option except help.
func (cl *commandLine) all() []*option {
	all := cl.own()
	all = append(append(all, cl.outputShorthands...), cl.labelToggles...)
	for _, l := range cl.labels {
		all = append(all, l.options...)
	}
	for _, b := range cl.backends {
		all = append(append(all, b.shorthands...), b.options...)
	}
	return all
}

// flags returns the options in the library's form.
func (cl *commandLine) flags() []cli.Flag {
	flags := helpFlags(&cl.help)
	for _, o := range cl.all() {
		flags = append(flags, o)
	}
	return flags
}

// helpFlags returns the names of the help option.
func helpFlags(v flag.Value) []cli.Flag {
	return []cli.Flag{
		&option{name: "help", short: "h", usage: "print this help", value: v},
		&option{name: "?", value: v},
	}
}

func (cl *commandLine) setIface(s string) error {
	if strings.TrimPrefix(s, "!") == "" {
		return errors.New("an interface name is missing")
	}
	cl.ifaces = append(cl.ifaces, s)
	return nil
}

func (cl *commandLine) setNetNS(s string) error {
	if s == "" {
		return errors.New("a name, a process id or a path is missing")
	}
	cl.netns = s
	return nil
}

func (cl *commandLine) setConfig(s string) error {
	if s == "" {
		return errors.New("a path is missing; none: no file")
	}
	cl.config = s
	return nil
}

func (cl *commandLine) setNote(s string) error {
	cl.note = s
	return nil
}

func (cl *commandLine) setTimeout(s string) error {
	d, err := parseDuration(s)
	if err == nil && d < 0 {
		err = errors.New("must not be negative; 0 means until a signal")
	}
	cl.timeout, cl.timeoutSet = d, true
	return err
}

func (cl *commandLine) setRefresh(s string) error {
	d, err := parseDuration(s)
	_, noFile := os.Stat(s)
	switch {
	case err != nil && noFile == nil: // tcpdump -r
		err = fmt.Errorf("not a duration; to read a capture: %s %s", program, s)
	case err == nil && d < minRefresh:
		err = fmt.Errorf("must be at least %v", minRefresh)
	}
	cl.refresh = d
	return err
}

func (cl *commandLine) setBackend(s string) error {
	cl.backend = s
	return nil
}

func (cl *commandLine) setMaxFlows(s string) (err error) {
	cl.maxFlows, err = parseInt(s, 1, maxFlows)
	return err
}

func (cl *commandLine) setTop(s string) (err error) {
	cl.top, err = parseInt(s, 0, maxFlows)
	cl.topSet = true
	if err != nil {
		err = fmt.Errorf("%w; 0 stands for all rows", err)
	}
	return err
}

func parseInt(s string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("not a whole number")
	}
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("must be between %d and %d", lo, hi)
	}
	return n, nil
}

func (cl *commandLine) addBy(s string) error {
	dims, err := flow.ParseDims(s)
	if err != nil {
		return guessedField(err, s, ",", func(f *flow.Field) bool { return f.Dim != 0 })
	}
	if !cl.byGiven {
		cl.dims, cl.byGiven = 0, true
	}
	cl.dims |= dims
	return nil
}

func (cl *commandLine) setSort(s string) (err error) {
	if cl.sort, err = engine.ParseSort(s); err != nil {
		err = guessedField(err, s, "", func(f *flow.Field) bool { return !f.Derived })
	}
	return err
}

func (cl *commandLine) setLayer(s string) error {
	for _, l := range []flow.Layer{flow.LayerFrame, flow.LayerIP} {
		if s == l.String() {
			cl.layer = l
			return nil
		}
	}
	return fmt.Errorf("must be %s (layer 2) or %s (layer 3)", flow.LayerFrame, flow.LayerIP)
}

func (cl *commandLine) addOutput(s string) error {
	spec, err := parseOutputSpec(s)
	cl.outputs = append(cl.outputs, spec)
	return err
}
