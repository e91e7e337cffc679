package registry

import (
	"context"
	"flag"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Label is the registration of a label: data about a flow that is not in its packets, such as
// process, user or service name. Registering it adds its fields to [flow.Fields].
type Label struct {
	Summary string       // one line, for `pktstat labels`
	Fields  []flow.Field // fields that it adds; Register sets Role to Label
	Fills   []string     // fields of [flow.Owner] that it sets

	// Needs are names of labels that must run before this one.
	Needs []string
	// From is a set of abilities; the backend must have one of them. 0: any backend will do.
	// Lacks explains why other backends do not: "captures do not tell the process".
	From  Caps
	Lacks string
	// Toggle is the CLI flag that turns the label on or off, and Usage its help text. "": there
	// is no flag.
	Toggle, Usage string
	// Default reports whether the label is on by default for a backend with these abilities.
	// Nil: it is on if it has Needs and all of them are on.
	Default func(Caps) bool
	// Always: the labeler gets every record, whatever rows are grouped by, because it sets
	// [flow.Record.Match] or fields that depend on the process. Other labelers get records if
	// rows are grouped by one of their fields, and rows otherwise.
	Always bool

	New func() LabelConfig // fresh defaults, no side effects
}

// LabelConfig holds a label's options before Open.
type LabelConfig interface {
	// Flags declares the label's own options. The CLI mounts each as --NAME-OPTION.
	Flags(fs *flag.FlagSet)
	// Open is called before the backend's Open, so that the label sees everything that is
	// counted. If it fails, it leaves nothing behind.
	Open(ctx context.Context, env LabelEnv) (Labeler, error)
}

// LabelEnv is the environment that Open gets from the engine.
type LabelEnv struct {
	Dims     flow.Dims // what rows are grouped by
	Backend  Caps      // abilities of the backend
	Tuples   Tuples    // numbers the values of the dimensions
	NetNS    *NetNS    // network namespace of the interfaces; nil: the process's own
	MaxFlows int       // bound on rows

	Now    func() time.Time                 // the run's clock
	Notify func(format string, args ...any) // one line to the user (stderr)
	Debugf func(format string, args ...any) // the same, under --debug only
}

// Tuples numbers the label values of flows. A record stores the number in Key.OwnerID; 0 means no
// values. Only the engine's goroutine may use it.
type Tuples interface {
	// Number returns the number of these values, 0 if the table is full. A record that gets 0
	// keeps its current number.
	Number(o *flow.Owner) uint32
	// Get returns the values of a number.
	Get(id uint32) flow.Owner
	// Generation changes when numbers become invalid. Code that caches numbers must then call
	// Number again.
	Generation() uint64
}

// Labeler is an open label.
type Labeler interface {
	// Records adds the label to the numbers in the records' keys. The engine's goroutine calls
	// it, in the order of Needs.
	Records(recs []flow.Record)
	// Rows adds the label to rows that are not grouped by it. It is safe for concurrent use. It
	// must not block.
	Rows(rows []*flow.Row)
	// Close frees everything in the kernel. Rows may still be called afterwards.
	Close() error
}

// Windowed is implemented by labelers that act at the end of a window. The engine calls Window
// after the source has closed its window and before the first record.
type Windowed interface{ Window(ctx context.Context) }

// Noted is implemented by labelers that add notes to a report.
type Noted interface{ Notes() []string }
