package engine

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// slowReader is a source with its own clock and slow Collects.
type slowReader struct {
	counter
	env registry.BackendEnv
}

func (s *slowReader) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	s.env = env
	_, err := s.counter.Open(ctx, env)
	return s, err
}

func (s *slowReader) Collect(ctx context.Context, b *flow.Batch) error {
	time.Sleep(time.Minute)
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.counter.Collect(ctx, b)
}

// TestTimeoutOfCaptures: the timeout of a capture is packet time. The source gets it as Limit,
// and the engine's clock does not end the run.
func TestTimeoutOfCaptures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &slowReader{counter: counter{end: 3, endErr: io.EOF, span: time.Second}}, &recorder{}
		c := config(src, sink)
		c.Candidates[0].Backend = backend(registry.ClockSource)
		c.Timeout = 10 * time.Second
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, sink, &src.counter)
		if src.env.Limit != c.Timeout || src.collects != 3 {
			t.Errorf("limit %v, %d Collects; want %v, 3", src.env.Limit, src.collects, c.Timeout)
		}
	})
}
