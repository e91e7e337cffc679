package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// opened is the source that the engine chose.
type opened struct {
	src          registry.Source
	cand         Candidate
	clock        registry.Clock
	alternatives []flow.Alternative
}

// open tries the candidates in order. If all of them fail, it returns the most useful error.
func (r *run) open(ctx context.Context) (opened, error) {
	c := r.c
	var failed []error
	var alternatives []flow.Alternative
	for i, cand := range c.Candidates {
		err := r.openLabels(ctx, cand)
		if err == nil {
			var src registry.Source
			if src, err = r.openOne(ctx, cand); err == nil {
				for _, later := range c.Candidates[i+1:] {
					alternatives = append(alternatives, flow.Alternative{Backend: later.Name, Why: later.WhyNot})
				}
				return opened{src, cand, cand.Backend.ClockOf(cand.Config), append(alternatives, c.Alternatives...)}, nil
			}
		}
		err = errors.Join(append([]error{err}, r.labels.close()...)...)
		r.labels = newLabels(c.MaxFlows)
		alternatives = append(alternatives, flow.Alternative{Backend: cand.Name, Why: "could not be opened: " + err.Error()})
		err = fmt.Errorf("backend %s: %w", cand.Name, err)
		c.Env.Debugf("%v", err)
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	if len(failed) == 0 {
		return opened{}, fmt.Errorf("%w: no backend supports this request", registry.ErrUnsupported)
	}
	for _, err := range failed {
		if errors.Is(err, registry.ErrPermission) {
			return opened{}, err // the user can fix a missing permission at once
		}
	}
	return opened{}, failed[0]
}

func (r *run) openOne(ctx context.Context, cand Candidate) (registry.Source, error) {
	c := r.c
	if c.Layer != 0 && cand.Backend.Layers&c.Layer == 0 {
		return nil, fmt.Errorf("%w: --layer=%s: this backend does not see that layer", registry.ErrUsage, c.Layer)
	}
	env := c.Env
	env.MaxFlows, env.Dims = c.MaxFlows, r.allDims()
	if r.labels.numbered = cand.Backend.FieldIn(env.Dims) != nil; r.labels.numbered {
		env.Tuples = tuples{r.labels.all}
	}
	if cand.Backend.ClockOf(cand.Config) == registry.ClockSource {
		env.Limit = c.Timeout
		if wantsIntervals(c.Outputs) || len(c.Over) > 0 {
			env.Interval = c.Refresh
		}
	}
	if !cand.Backend.Caps.Has(registry.CapInterfaces) {
		env.Interfaces = nil
	}
	return cand.Config.Open(ctx, env)
}

func wantsIntervals(outputs []Output) bool {
	for _, o := range outputs {
		if o.When&registry.WhenInterval != 0 {
			return true
		}
	}
	return false
}

// describe reads how the source is attached now.
func (r *run) describe() {
	r.attachment = registry.Attachment{Interfaces: r.c.Env.Interfaces}
	if a, ok := r.src.(registry.Attached); ok {
		r.attachment = a.Attachment()
	}
	if c, ok := r.src.(registry.Covered); ok {
		r.coverage = c.Coverage()
	}
	r.links.settle(&r.attachment)
}
