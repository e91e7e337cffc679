package registry

import (
	"context"
	"flag"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Label is the registration of knowledge from outside the packet headers: the process,
// the user, the name of a service. Its fields join [flow.Fields] when it is registered.
type Label struct {
	Summary string       // one line, for `pktstat labels`
	Fields  []flow.Field // what it adds; Role is set to Label
	Fills   []string     // the fields of [flow.Owner] that it knows

	// Needs are labels that a run must have, too. They see each record before.
	Needs []string
	// From is what a backend must be able to do, any of it; 0: nothing. Lacks says why
	// the label makes no sense with other backends: "captures do not tell the process".
	From  Caps
	Lacks string
	// Toggle is a flag of the CLI that turns the label on or off, and Usage describes it;
	// "" for none.
	Toggle, Usage string
	// Default reports whether a run with a backend of these abilities has the label
	// unasked. Nil: a run has it if it has all that the label needs, and that is something.
	Default func(Caps) bool
	// Always: the labeler gets every record, whatever rows are grouped by: it sets
	// [flow.Record.Match], or fields that follow from the process or its cgroup. Others
	// get records only when rows are grouped by one of their fields, and rows otherwise.
	Always bool

	New func() LabelConfig // fresh defaults, no side effects
}

// LabelConfig is a label with its options, before it is opened.
type LabelConfig interface {
	// Flags declares the label's own options. The CLI mounts each as --NAME-OPTION.
	Flags(fs *flag.FlagSet)
	// Open makes ready. It is called before the backend's Open, so that the label sees
	// everything that is counted. A failed Open leaves nothing behind.
	Open(ctx context.Context, env LabelEnv) (Labeler, error)
}

// LabelEnv is what a label needs to know of the run.
type LabelEnv struct {
	Dims     flow.Dims // what rows are grouped by
	Tuples   Tuples    // numbers what rows are grouped by
	NetNS    *NetNS    // where the interfaces are; nil: where the process is
	MaxFlows int       // bound on rows

	Now    func() time.Time                 // the run's clock
	Notify func(format string, args ...any) // one line to the user (stderr)
	Debugf func(format string, args ...any) // the same, under --debug only
}

// Tuples numbers the values of all labels of a flow. A record's Key.OwnerID is such a
// number; 0 stands for no values. It is the engine's, and used by its goroutine only.
type Tuples interface {
	// Number returns the number of these values; 0 if there is no room for more. A record
	// keeps the number that it has then.
	Number(o *flow.Owner) uint32
	// Get returns the values with a number.
	Get(id uint32) flow.Owner
	// Generation changes when numbers are given up: who keeps numbers asks anew then.
	Generation() uint64
}

// Labeler is an open label.
type Labeler interface {
	// Records adds the label to the numbers of the records' keys. The engine's goroutine
	// calls it, in the order of Needs.
	Records(recs []flow.Record)
	// Rows adds the label to rows that are shown, when they are not grouped by it. Any
	// goroutine may call it, several at a time. It must not block.
	Rows(rows []*flow.Row)
	// Close frees what the label has in the kernel. Rows may still be called.
	Close() error
}

// Windowed is implemented by labelers that must know when a window ends. Window is called
// when the source has closed its window and before its first record.
type Windowed interface{ Window(ctx context.Context) }

// Noted is implemented by labelers that have something to say of a report's numbers.
type Noted interface{ Notes() []string }
