// Package html writes the final report as one HTML file that needs no server, no network and no
// other file.
package html

import (
	"bufio"
	"context"
	"flag"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rateseries"
	"github.com/pktstat/pktstat/internal/render/webpage"
	"github.com/pktstat/pktstat/plugintest/outputkit"
	"github.com/pktstat/pktstat/registry"
)

// listedFlows makes a file of about 4 MB, which browsers handle easily.
const listedFlows = 10_000

func init() {
	registry.Outputs.Register("html", registry.Output{
		Summary: "the final report as one HTML file with charts, for any browser, without network",
		When:    registry.WhenInterval | registry.WhenFinal,
		Window:  true,
		Top:     listedFlows,
		By:      flow.DimsConversation,
		New:     func() registry.OutputConfig { return &config{} },
	})
}

type config struct{}

var _ registry.OutputConfig = (*config)(nil)

func (*config) Flags(*flag.FlagSet) {}

func (*config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	series := rateseries.New(rateseries.Whole)
	return outputkit.Open(env, func(w *bufio.Writer, r *flow.Report) error {
		if !r.Final {
			series.Add(r)
			return nil
		}
		series.Finish(r)
		return webpage.WriteFile(w, r, series)
	})
}
