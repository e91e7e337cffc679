package engine

import (
	"errors"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Config is a run: which backends may serve it, who gets the reports, and how
// flows are grouped, bounded and ordered.
type Config struct {
	// Candidates in the order in which Open is tried. With one, its error ends
	// the run; with several (--backend=auto), the next one is tried.
	Candidates   []Candidate
	Alternatives []flow.Alternative  // what was considered and is not tried, for the report
	Env          registry.BackendEnv // handed to Open; Interval is set by the engine
	Outputs      []Output
	// Labels returns the labels of a run with this backend, in the order in which they see
	// records. May be nil.
	Labels func(Candidate) []Label

	Dims     flow.Dims
	MaxFlows int         // rows kept at most; the smallest fold into Other
	Sort     *flow.Field // order of the rows; nil: by rate
	Layer    flow.Layer  // layer of the rates; 0: frames where the backend sees them, else IP

	Origin flow.Origin // for the reports

	Timeout time.Duration // 0: until the context ends or the source does
	Refresh time.Duration // length of an interval report

	Over []Threshold // the first one that is passed ends the run with an [OverError]

	// ReportNow asks for an interval report before its time (SIGUSR1). May be nil.
	ReportNow <-chan struct{}
	// Attached is called once counting has started, with what was chosen and what was
	// not. May be nil.
	Attached func(Candidate, []flow.Alternative, registry.Attachment)
	// Progress is called now and then, from the engine's goroutine. May be nil.
	Progress func(Progress)
}

// Candidate is a backend that may serve the run.
type Candidate struct {
	Name    string
	Backend registry.Backend
	Config  registry.BackendConfig
	Reason  string // why auto proposes it; "" when named by the user
	WhyNot  string // what it loses by if one before it is taken
}

// Output is an open sink and which reports it gets.
type Output struct {
	Name string // as the user wrote it: for messages
	Sink registry.Sink
	When registry.When
	Top  int // rows it shows at most; 0: all
}

// Progress of a run.
type Progress struct {
	Elapsed time.Duration
	Total   flow.Counters // seen so far
	Flows   int
}

// ErrOutput is wrapped by Run's error when counting went well but an output
// failed (exit code 5).
var ErrOutput = errors.New("output failed")
