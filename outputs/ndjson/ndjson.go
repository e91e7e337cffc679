// Package ndjson writes every interval report and the final report, each as one line of JSON.
package ndjson

import (
	"bufio"
	"context"
	"flag"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/reportjson"
	"github.com/pktstat/pktstat/plugintest/outputkit"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Outputs.Register("ndjson", registry.Output{
		Summary: "every interval report and the final one, one JSON object a line (schema " + reportjson.Schema + ")",
		When:    registry.WhenInterval | registry.WhenFinal,
		New:     func() registry.OutputConfig { return config{} },
	})
}

type config struct{}

var _ registry.OutputConfig = config{}

func (config) Flags(*flag.FlagSet) {}

func (config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	first := true
	return outputkit.Open(env, func(w *bufio.Writer, r *flow.Report) error {
		if !first && !r.Final {
			r = brief(r)
		}
		first = false
		return reportjson.Write(w, r, false)
	})
}

// brief removes the fields that only the first and the last line have, because they are the same in
// the whole run. The host stays in every line, for readers that start late.
func brief(r *flow.Report) *flow.Report {
	b := *r
	b.Origin = flow.Origin{Host: r.Origin.Host}
	b.Alternatives = nil
	return &b
}
