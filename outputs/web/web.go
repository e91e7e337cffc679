// Package web shows the reports on a live page: --output web=127.0.0.1:8080.
//
//   - web.go: options, opening and closing; the sink
//   - listen.go: addresses; state.go: what pages show
//   - server.go: the HTTP server; guard.go: access; events.go: the stream
//   - busy.go: connections with an unfinished answer
package web

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// listedFlows is the number of flows on a page without --top: a few hundred kilobytes each
// interval.
const listedFlows = 1000

func init() {
	registry.Outputs.Register("web", registry.Output{
		Summary: "a live page with charts, and the report as JSON, over HTTP",
		When:    registry.WhenInterval | registry.WhenFinal,
		Address: true,
		Top:     listedFlows,
		By:      flow.DimsConversation,
		New:     func() registry.OutputConfig { return &config{} },
	})
}

type config struct {
	token     string
	tokenFile string
	hosts     string
	linger    time.Duration
}

var _ registry.OutputConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.token, "token", c.token, "`TEXT` that a browser must present; beyond loopback, the default is a random token")
	fs.StringVar(&c.tokenFile, "token-file", c.tokenFile, "`FILE` whose first line is the token: other users can see the command line")
	fs.StringVar(&c.hosts, "hosts", c.hosts, "`NAMES`, joined by +, under which browsers reach this machine, for example through a proxy")
	fs.DurationVar(&c.linger, "linger", c.linger, "keep showing the final report for this long after the run")
}

func (c *config) Open(ctx context.Context, env registry.OutputEnv) (registry.Sink, error) {
	token, err := c.readToken()
	if err != nil {
		return nil, err
	}
	l, err := listen(ctx, env.Target)
	if err != nil {
		return nil, err
	}
	g := newGuard(token, l, c.hosts)
	s := &sink{state: newState(), served: make(chan error, 1), closing: make(chan struct{}), linger: c.linger}
	s.server = newServer(&handler{state: s.state, guard: g, now: env.Now, closing: s.closing}, &s.busy)
	go func() { s.served <- s.server.Serve(limited(l)) }()
	env.Notify("live page: %s", g.address(l))
	return s, nil
}

// sink publishes reports. Other goroutines serve HTTP requests. They block the sink no longer than
// it takes to render a report.
type sink struct {
	state   *state
	server  *http.Server
	served  chan error    // the result of Serve
	busy    busy          // connections
	closing chan struct{} // closed: streams end
	linger  time.Duration
	final   bool
	closed  bool
	err     error // of Serve
}

var _ registry.Sink = (*sink)(nil)

// Write shows r on every page. It fails if the server has ended.
func (s *sink) Write(_ context.Context, r *flow.Report) error {
	if s.err == nil {
		select {
		case err := <-s.served:
			s.err = fmt.Errorf("serve: %w", err)
		default:
		}
	}
	if s.err != nil {
		return s.err
	}
	s.final = s.final || r.Final
	return s.state.publish(r)
}

// drain is how long pages may take to receive the final report.
const drain = 3 * time.Second

// Close ends the server. After a final report, it first waits until the open pages have received
// it, but at most for drain.
func (s *sink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.err != nil {
		return nil // Write has returned the error
	}
	if s.final && s.linger > 0 {
		select {
		case <-time.After(s.linger):
		case err := <-s.served:
			return fmt.Errorf("serve: %w", err)
		}
	}
	if !s.final {
		close(s.closing) // no page waits for a final report
	}
	s.busy.wait(drain) // the server's Close disconnects stalled pages
	err := s.server.Close()
	if ended := <-s.served; err == nil && !errors.Is(ended, http.ErrServerClosed) {
		err = fmt.Errorf("serve: %w", ended)
	}
	return err
}
