// Package socket labels flows with what the kernel knows of their TCP sockets on this machine. It
// knows the round-trip time, the congestion window, the bytes in flight and the state.
package socket

import (
	"context"
	"flag"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

const (
	// ofPorts are the dimensions that a row with two ports has one of.
	ofPorts = flow.DimSrcPort | flow.DimEndPorts
	// ofFlow and ofConversation tell the sockets of all namespaces apart.
	ofFlow         = flow.DimProto | flow.DimNetNS | flow.DimSrc | flow.DimDst | flow.DimSrcPort | flow.DimDstPort
	ofConversation = flow.DimProto | flow.DimNetNS | flow.DimEnds | flow.DimEndPorts
)

// telling reports whether each row has at most one socket.
func telling(d flow.Dims) bool { return d.Has(ofFlow) || d.Has(ofConversation) }

func init() {
	field := func(name, title, help string, kind flow.Kind) flow.Field {
		return flow.Field{Name: name, Title: title, Help: help, Kind: kind, Detail: true, By: ofPorts, Applies: telling}
	}
	registry.Labels.Register("socket", registry.Label{
		Summary: "what the kernel knows of the TCP socket: round-trip time, congestion window, bytes in flight",
		Fields: []flow.Field{
			field("srtt", "SRTT", "smoothed round-trip time of the local TCP socket, in seconds", flow.Duration),
			field("min_rtt", "Min RTT", "shortest round-trip time that the local TCP socket has measured lately, in seconds", flow.Duration),
			field("cwnd", "Cwnd", "congestion window of the local TCP socket, in segments", flow.Uint),
			field("in_flight", "In flight", "bytes that the local TCP socket has in flight", flow.Bytes),
			field("socket_state", "Socket", "state of the local TCP socket, as the kernel has it", flow.Word),
		},
		From:    registry.CapLive,
		Lacks:   "captures do not have the sockets",
		Toggle:  "socket",
		Usage:   "ask the kernel about the TCP sockets of shown rows; on unless --socket=false is given",
		Default: func(c registry.Caps) bool { return c.Has(registry.CapLive) },
		New: func() registry.LabelConfig {
			return &config{budget: 250 * time.Millisecond, most: 1 << 17, closed: 1 << 16}
		},
	})
}

type config struct {
	budget       time.Duration
	most, closed int
}

var _ registry.LabelConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.DurationVar(&c.budget, "budget", c.budget, "longest `TIME` to ask for, a refresh")
	fs.IntVar(&c.most, "max", c.most, "largest `NUMBER` of sockets to keep, a refresh")
	fs.IntVar(&c.closed, "max-closed", c.closed, "largest `NUMBER` of closed sockets to remember; 0: none")
}

// Open starts to listen to closed sockets. If the kernel or a missing capability prevents that,
// the label works without them.
func (c *config) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	fields := fields{}
	for name, f := range map[string]**flow.Field{
		"srtt": &fields.srtt, "min_rtt": &fields.minRTT, "cwnd": &fields.cwnd, "in_flight": &fields.inFlight, "socket_state": &fields.state,
	} {
		*f = flow.Fields.Find(name)
	}
	l := &labeler{
		config: *c, fields: fields, now: env.Now, notify: env.Notify, debugf: env.Debugf,
		closed: newClosed(min(c.closed, max(env.MaxFlows, fewClosed))),
	}
	spaces, err := newSpaces(env.NetNS, env.Backend.Has(registry.CapLive) && !env.Backend.Has(registry.CapInterfaces))
	if err != nil {
		return nil, err
	}
	l.spaces = spaces
	if l.idle = !telling(env.Dims); l.idle {
		return l, nil
	}
	if c.closed > 0 {
		l.listen()
	}
	if l.spaces.everywhere {
		l.spaces.scan(l.watch)
	}
	return l, nil
}

// fewClosed is how many closed sockets are remembered however few rows there may be.
const fewClosed = 1024

// fields are the label's fields.
type fields struct{ srtt, minRTT, cwnd, inFlight, state *flow.Field }
