package registry

import (
	"context"
	"flag"
	"io"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Backend is the registration of a method of capturing packets.
type Backend struct {
	Summary string     // one line, for `pktstat backends`
	Caps    Caps       // abilities of the backend
	Cost    Cost       // order in which --backend=auto tries backends
	Point   Point      // where it captures on interfaces, if it has CapInterfaces
	Layers  flow.Layer // byte counters that it fills (a set)
	Clock   Clock      // clock of its reports; see Clocked

	// Shorthands are flags that select this backend. The CLI mounts them.
	Shorthands []Shorthand
	// Wants lists options that select this backend when the user gives them.
	Wants []string
	// Files is the option that gets the command's positional arguments: captures. "": the backend
	// takes no files. The option must be a [List].
	Files string
	// Reads reports whether Files can read a file with these first bytes. May be nil.
	Reads func(start []byte) bool
	// Fields are fields of the records that do not come from packet headers. When rows are
	// grouped by one, the backend numbers their values with [BackendEnv.Tuples]. Register sets
	// Role to Label.
	Fields []flow.Field

	New func() BackendConfig // fresh defaults, no side effects
}

// FieldIn returns the first of the backend's own fields by which by groups rows; nil if there is
// none.
func (b *Backend) FieldIn(by flow.Dims) *flow.Field {
	for i := range b.Fields {
		if f := flow.Fields.Find(b.Fields[i].Name); f != nil && f.Dim&by != 0 {
			return f
		}
	}
	return nil
}

// Shorthand is a CLI flag that selects a plugin or sets one of its options.
type Shorthand struct {
	Name   string // one letter, or "" for none
	Long   string // or "" for none
	Option string // the plugin's option that gets the flag's value; "" if the flag takes no value
	Usage  string
}

// Caps is a set of abilities of a backend. It has nothing to do with Linux capabilities.
type Caps uint32

// Abilities of backends.
const (
	CapIngress Caps = 1 << iota
	CapEgress
	CapLive       // captures live traffic
	CapFile       // reads captures
	CapInterfaces // captures on the interfaces of --iface
	CapProcess    // knows the process of each packet; owners are looked up by default
	CapCgroup
)

// Has reports whether c contains all of x.
func (c Caps) Has(x Caps) bool { return c&x == x }

// Strings returns the names of the abilities.
func (c Caps) Strings() []string {
	var s []string
	for i, n := range []string{"ingress", "egress", "live", "file", "interfaces", "process", "cgroup"} {
		if c&(1<<i) != 0 {
			s = append(s, n)
		}
	}
	return s
}

// Cost is the place in the kernel where a backend counts. auto prefers a lower cost.
type Cost uint8

// Costs, the cheapest first.
const (
	CostDriver Cost = iota // XDP
	CostQdisc              // tc
	CostSocket             // cgroup
	CostCopy               // packets are copied to user space
	CostProbe              // kprobes
)

// String returns the name of the cost.
func (c Cost) String() string {
	return [...]string{"driver", "qdisc", "socket", "copy", "probe"}[c]
}

// Point is the hook at which a backend sees an interface's packets. On some kinds of interfaces,
// packets bypass a hook.
type Point uint8

// Points.
const (
	PointUnknown Point = iota // sees all packets of every interface, as far as known
	PointTC                   // the hook of tc classifiers
	PointXDP                  // XDP, in the driver or in generic mode
	PointTap                  // the hook of packet sockets
)

// String returns the name of the point.
func (p Point) String() string {
	return [...]string{"an unknown point", "tc", "XDP", "packet sockets"}[p]
}

// BackendConfig holds a backend's options before Open.
type BackendConfig interface {
	// Flags declares the backend's own options. The CLI mounts each as --NAME-OPTION.
	Flags(fs *flag.FlagSet)
	// Probe finds out whether the backend works on this machine. It tries each feature instead of
	// comparing kernel versions. It changes nothing on the system.
	Probe(ctx context.Context) ProbeResult
	// Open starts counting. If it fails, it leaves nothing attached. The engine discards the
	// first Collect of a live source: packets counted during Open are in no report.
	Open(ctx context.Context, env BackendEnv) (Source, error)
}

// BackendEnv is the environment that Open gets from the engine.
type BackendEnv struct {
	Interfaces []flow.Interface // resolved; empty unless the backend has CapInterfaces
	Follow     Follow           // matches interfaces that appear later; nil: none
	NetNS      *NetNS           // network namespace of the interfaces; nil: the process's own
	MaxFlows   int              // maximum number of flows an epoch, which determines the size of tables
	Interval   time.Duration    // ClockSource: Collect returns at each multiple of it; 0: only at EOF
	Limit      time.Duration    // ClockSource: the run ends after this much packet time; 0: at EOF
	Dims       flow.Dims        // what rows are grouped by
	Tuples     Tuples           // numbers the backend's Fields; nil: rows are not grouped by any of them

	Stdin  io.Reader                        // for backends that read "-"
	Now    func() time.Time                 // the run's clock
	Notify func(format string, args ...any) // one line to the user (stderr)
	Debugf func(format string, args ...any) // the same, under --debug only
}

// Follow reports whether pktstat counts on an interface that appeared, came up or got a name
// during the run. It is safe for concurrent use.
type Follow func(Link) bool

// Means reports whether "any" or a pattern matches the interface. An interface named by the user
// does not match.
func (f Follow) Means(i flow.Interface) bool {
	return f != nil && f(Link{Name: i.Name, Up: true})
}

// Link is the input of a [Follow].
type Link struct {
	Name     string
	AltNames []string
	Up       bool
}

// NetNS is a network namespace (network_namespaces(7)).
type NetNS struct {
	Name string // as the user wrote it
	// Do runs f on a thread in the namespace, and returns f's error. Sockets that f opens and
	// programs that f attaches belong to the namespace. Goroutines that f starts do not run in
	// it.
	Do func(f func() error) error
}

// Inside runs f in the namespace. On a nil NetNS it runs f in the process's own.
func (n *NetNS) Inside(f func() error) error {
	if n == nil {
		return f()
	}
	return n.Do(f)
}

// Source is an open backend. One goroutine calls its methods.
type Source interface {
	// Collect closes the current window, calls b.WindowClosed, and adds everything counted in the
	// window to b. It calls WindowClosed exactly once, even if it has no record or ctx has ended.
	// It does not call it if it fails before. In WindowClosed the engine looks up the owners of
	// the packets.
	//
	// It returns io.EOF together with the last records. When ctx ends, it returns soon with the
	// records so far, and no error. Any other error ends the run after the engine has reported
	// the records in b.
	Collect(ctx context.Context, b *flow.Batch) error
	// Close detaches and frees everything. A second call does nothing.
	Close() error
}

// Attachment describes how a source is attached, for the report.
type Attachment struct {
	Method         string // "tcx", "clsact", "native", "file", ...
	Interfaces     []flow.Interface
	Files          []string            // captures that are read
	Cgroups        []string            // paths of the control groups in which packets are counted
	StackedOn      map[uint32][]uint32 // by index: other interfaces that see the same packets before or after it
	PacketsInexact bool                // the hook does not know the segment counts of merged frames
	Notes          []string            // hints for the reader: "egress is not seen"
}

// Attached is implemented by sources that describe how they are attached. It may be called at any
// time between Open and Close. The answer may change.
type Attached interface{ Attachment() Attachment }

// Covered is implemented by sources that compare what they count with the interfaces' own
// counters. It may be called at any time between Open and Close. The answer is about the time from
// the first Collect to the last one; nil: the counters cannot be read.
type Covered interface{ Coverage() []flow.Coverage }

// Waker is implemented by sources whose table may fill before the next tick. A value on the
// channel asks the engine for a Collect.
type Waker interface{ Wake() <-chan struct{} }
