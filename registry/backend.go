package registry

import (
	"context"
	"flag"
	"io"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Backend is the registration of a way to see packets.
type Backend struct {
	Summary string     // one line, for `pktstat backends`
	Caps    Caps       // what it can do
	Cost    Cost       // orders candidates of --backend=auto
	Point   Point      // where it sees the packets of interfaces, if it has CapInterfaces
	Layers  flow.Layer // which byte counters it fills (a set)
	Clock   Clock      // whose time a report is in; see Clocked

	// Shorthands are flags that select this backend. The CLI mounts them.
	Shorthands []Shorthand
	// Wants lists options that, when given, mean that this backend is wanted.
	Wants []string
	// Files is the option that arguments without an option are values of: captures. "": the
	// backend takes none. The option is a [List].
	Files string
	// Reads reports whether a file that begins so is for Files. May be nil.
	Reads func(start []byte) bool
	// Fields are what the backend knows of its records besides the packets: it numbers them
	// with [BackendEnv.Tuples] when rows are grouped by them. Role is set to Label.
	Fields []flow.Field

	New func() BackendConfig // fresh defaults, no side effects
}

// Shorthand is a flag of the CLI that stands for a longer one.
type Shorthand struct {
	Name   string // one letter, or "" for none
	Long   string // or "" for none
	Option string // the plugin's own option that takes the flag's value; "" if the flag takes none
	Usage  string
}

// Caps is a set of abilities.
type Caps uint32

// Abilities of backends.
const (
	CapIngress Caps = 1 << iota
	CapEgress
	CapLive       // sees traffic as it happens
	CapFile       // reads captures
	CapInterfaces // works on the interfaces named with --iface
	CapProcess    // sees what every process does: flows get their owners without being asked
	CapCgroup
)

// Has reports whether all of x is in c.
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

// Cost is where in the kernel a backend counts; auto prefers lower ones.
type Cost uint8

// Costs in the order in which auto prefers them.
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

// Point is where in the kernel a backend sees the packets of an interface. Some kinds of
// interfaces have packets that do not pass every point.
type Point uint8

// Points.
const (
	PointUnknown Point = iota // it sees all of every interface, as far as pktstat knows
	PointTC                   // where tc classifies
	PointXDP                  // XDP, in the driver or at the beginning of the network stack
	PointTap                  // where packet sockets get their copies
)

// String returns the name of the point.
func (p Point) String() string {
	return [...]string{"an unknown point", "tc", "XDP", "packet sockets"}[p]
}

// BackendConfig is a backend with its options, before it is opened.
type BackendConfig interface {
	// Flags declares the backend's own options. The CLI mounts each as --NAME-OPTION.
	Flags(fs *flag.FlagSet)
	// Probe finds out whether the backend would work here. It tries rather than
	// compares versions, and changes nothing on the system.
	Probe(ctx context.Context) ProbeResult
	// Open starts counting. A failed Open leaves nothing attached. What a live source counts
	// before Open returns is in no report: the engine throws its first Collect away.
	Open(ctx context.Context, env BackendEnv) (Source, error)
}

// BackendEnv is what a backend needs to know of the run.
type BackendEnv struct {
	Interfaces []flow.Interface // resolved; empty unless the backend has CapInterfaces
	Follow     Follow           // which others are meant that appear later; nil: none
	NetNS      *NetNS           // where all of them are; nil: where the process is
	MaxFlows   int              // bound on flows per epoch that tables are sized for
	Interval   time.Duration    // ClockSource: Collect ends at each multiple; 0: only at EOF
	Limit      time.Duration    // ClockSource: the end comes when the packets' time has gone so far; 0: at EOF
	Dims       flow.Dims        // what rows are grouped by
	Tuples     Tuples           // numbers the backend's Fields; nil: rows are grouped by none of them

	Stdin  io.Reader                        // for backends that read "-"
	Now    func() time.Time                 // the run's clock
	Notify func(format string, args ...any) // one line to the user (stderr)
	Debugf func(format string, args ...any) // the same, under --debug only
}

// Follow tells whether an interface is meant that has appeared, has come up or has got a
// name while a run goes on. It may be called at any time.
type Follow func(Link) bool

// Means reports whether any or a pattern means an interface that is there. Then no option
// names it, or the name makes no difference.
func (f Follow) Means(i flow.Interface) bool {
	return f != nil && f(Link{Name: i.Name, Up: true})
}

// Link is what a [Follow] looks at.
type Link struct {
	Name     string
	AltNames []string
	Up       bool
}

// NetNS is a network namespace (network_namespaces(7)).
type NetNS struct {
	Name string // as the user wrote it
	// Do runs f on a thread that is in the namespace, and returns its error. Sockets that
	// f opens and programs that it attaches are in the namespace; goroutines that it starts
	// are not.
	Do func(f func() error) error
}

// Inside runs f in the network namespace of the interfaces. On a nil NetNS that is the
// one of the process.
func (n *NetNS) Inside(f func() error) error {
	if n == nil {
		return f()
	}
	return n.Do(f)
}

// Source is an open backend. Its methods are called by one goroutine.
type Source interface {
	// Collect closes the window that the previous Collect has opened, calls
	// b.WindowClosed, and then adds everything counted in the window to b. It calls
	// WindowClosed exactly once, also when it has no record and when ctx has ended;
	// not if it fails before. The engine looks up then what belongs to the packets,
	// such as processes.
	//
	// It returns io.EOF together with the last records. When ctx ends it returns
	// soon with what it has; that is no error. Any other error ends the run
	// after the records in b have been reported.
	Collect(ctx context.Context, b *flow.Batch) error
	// Close detaches and frees. It may be called twice.
	Close() error
}

// Attachment describes an open source for the report.
type Attachment struct {
	Method         string // "tcx", "clsact", "native", "file", ...
	Interfaces     []flow.Interface
	Files          []string            // captures that are read
	Cgroups        []string            // control groups that are counted in, by path
	StackedOn      map[uint32][]uint32 // by index: interfaces that show the same packets before or after it
	PacketsInexact bool                // merged frames whose segments the hook cannot know
	Notes          []string            // what a reader must know: "egress is not seen"
}

// Attached is implemented by sources that can describe how they are attached.
// It may be called at any time between Open and Close, and its answer may change.
type Attached interface{ Attachment() Attachment }

// Waker is implemented by sources that may need a Collect before the next tick,
// because a table is filling. A value on the channel asks for one.
type Waker interface{ Wake() <-chan struct{} }
