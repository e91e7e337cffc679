package engine

import (
	"errors"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Config describes a run: candidate backends, outputs, grouping, limits and order.
type Config struct {
	// Candidates are opened in this order. If there is one, its error ends the run. If there are
	// several (--backend=auto), the engine tries the next one.
	Candidates   []Candidate
	Alternatives []flow.Alternative  // backends that were considered but are not candidates, for the report
	Env          registry.BackendEnv // passed to Open; the engine sets Interval
	Outputs      []Output
	// Labels returns the labels of a run with this backend, in the order in which they get
	// records. May be nil.
	Labels func(Candidate) []Label

	Dims     flow.Dims   // what rows are grouped by, for outputs that do not say
	MaxFlows int         // maximum number of rows, for each grouping of the outputs; the smallest rows move into Overflow
	Sort     *flow.Field // order of the rows; nil: by bps
	Layer    flow.Layer  // layer of the rates; 0: frames if the backend sees them, else IP

	Origin flow.Origin // copied into the reports

	Timeout time.Duration // 0: until ctx ends or the source ends
	Refresh time.Duration // length of an interval

	Over []Threshold // the first exceeded threshold ends the run with an [OverError]

	// ReportNow requests an early interval report (SIGUSR1). May be nil.
	ReportNow <-chan struct{}
	// Attached is called once, when counting has started, with the chosen backend and the
	// alternatives. May be nil.
	Attached func(Candidate, []flow.Alternative, registry.Attachment)
	// Progress is called every 0.1 s or less often, by the engine's goroutine. May be nil.
	Progress func(Progress)
}

// Candidate is a backend that the engine may open.
type Candidate struct {
	Name    string
	Backend registry.Backend
	Config  registry.BackendConfig
	Reason  string // why auto proposes it; "" if the user named it
	WhyNot  string // why it is worse than an earlier candidate
}

// Output is an open sink with the reports that it gets.
type Output struct {
	Name string // as the user wrote it, for messages
	Sink registry.Sink
	When registry.When
	Top  int       // maximum number of rows it shows; 0: all
	By   flow.Dims // what it groups rows by; 0: Config.Dims
}

// Progress describes the run so far.
type Progress struct {
	Elapsed time.Duration
	Total   flow.Counters // counted so far
	Flows   int
}

// ErrOutput is in the chain of Run's error if counting succeeded but an output failed (exit
// code 5).
var ErrOutput = errors.New("output failed")
