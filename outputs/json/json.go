// Package json writes the final report as one JSON object.
package json

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
	registry.Outputs.Register("json", registry.Output{
		Summary:    "the final report as one JSON object (schema " + reportjson.Schema + ")",
		When:       registry.WhenFinal,
		Shorthands: []registry.Shorthand{{Name: "j", Long: "json", Usage: "write the final report as JSON to stdout"}},
		New:        func() registry.OutputConfig { return &config{} },
	})
}

type config struct {
	pretty bool
}

var _ registry.OutputConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.pretty, "pretty", c.pretty, "indent, for reading")
}

func (c *config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	return outputkit.Open(env, func(w *bufio.Writer, r *flow.Report) error {
		return reportjson.Write(w, r, c.pretty)
	})
}
