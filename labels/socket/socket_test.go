package socket

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/plugintest/labeltest"
	"github.com/pktstat/pktstat/registry"
)

// connection is a TCP connection of a test. Both ends have received something.
type connection struct {
	client, server net.Conn
	sent           flow.Key // of the client's packets
}

// connect opens a connection of a host to itself.
func connect(tb testing.TB, h *testnet.Host, dialer net.Dialer, network, to string) connection {
	tb.Helper()
	var c connection
	err := h.Do(func() error {
		l, err := net.Listen(network, net.JoinHostPort(to, "0"))
		if err != nil {
			return err
		}
		defer func() { _ = l.Close() }()
		if c.client, err = dialer.Dial(network, l.Addr().String()); err != nil {
			return err
		}
		c.server, err = l.Accept()
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	c.begin(tb)
	return c
}

// begin sends a byte in each direction.
func (c *connection) begin(tb testing.TB) {
	tb.Helper()
	tb.Cleanup(c.close)
	c.sent = key(c.client)
	for _, ends := range [][2]net.Conn{{c.client, c.server}, {c.server, c.client}} {
		if _, err := ends[0].Write([]byte{1}); err != nil {
			tb.Fatal(err)
		}
		if _, err := ends[1].Read(make([]byte, 1)); err != nil {
			tb.Fatal(err)
		}
	}
}

func (c connection) close() {
	_ = c.client.Close()
	_ = c.server.Close()
}

// key is the key of the packets that one end sends.
func key(from net.Conn) flow.Key {
	return flow.Key{Proto: flow.TCP, Src: testnet.Unmapped(from.LocalAddr()), Dst: testnet.Unmapped(from.RemoteAddr())}
}

// valuesOf are what the label should have of a socket.
func valuesOf(i *unix.TCPInfo) map[string]string {
	seconds := func(us uint32) string { return strconv.FormatFloat(float64(us)/1e6, 'f', -1, 64) }
	states := map[uint8]string{1: "established", 4: "fin_wait1", 5: "fin_wait2", 8: "close_wait"}
	return map[string]string{
		"srtt": seconds(i.Rtt), "min_rtt": seconds(i.Min_rtt), "cwnd": fmt.Sprint(i.Snd_cwnd),
		"in_flight": fmt.Sprint((i.Unacked - i.Sacked - i.Lost + i.Retrans) * i.Snd_mss), "socket_state": states[i.State],
	}
}

// values are the label's values of a row.
func values(r *flow.Row) map[string]string {
	got := map[string]string{}
	for _, name := range []string{"srtt", "min_rtt", "cwnd", "in_flight", "socket_state"} {
		if f := flow.Fields.Find(name); f.Has(r) {
			got[name] = string(f.AppendValue(nil, &flow.Report{}, r))
		}
	}
	return got
}

func equal(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func TestConformance(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	c, c6 := connectIPv4(t, h), connectIPv6(t, h)
	sent, received := key(c.client), key(c.server)
	sent.Dir, received.Dir = flow.Egress, flow.Egress
	other, udp := sent, sent
	other.Src = netip.AddrPortFrom(other.Src.Addr(), other.Src.Port()^1)
	udp.Proto = flow.UDP
	labeltest.Run(t, labeltest.Options{
		Name: "socket", NetNS: &registry.NetNS{Name: h.NetNS(), Do: h.Do}, Now: time.Now,
		Cases: []labeltest.Case{
			{Key: sent, Want: valuesOf(testnet.TCPInfo(t, c.client))},
			{Key: received, Owner: flow.Owner{PID: 7, Comm: "curl"}, Want: valuesOf(testnet.TCPInfo(t, c.server))},
			{Key: key(c6.client), Want: valuesOf(testnet.TCPInfo(t, c6.client))},
			{Key: other}, {Key: udp}, {Key: flow.Key{EtherType: 0x88cc}},
		},
	})
}

// opened is an open label.
type opened struct {
	tb testing.TB
	registry.Labeler
	said []string // to the user
}

// open opens the label for a backend with these abilities.
func open(tb testing.TB, h *testnet.Host, caps registry.Caps, args ...string) *opened {
	tb.Helper()
	label, err := registry.Labels.Lookup("socket")
	if err != nil {
		tb.Fatal(err)
	}
	c, fs := label.New(), flag.NewFlagSet("socket", flag.ContinueOnError)
	c.Flags(fs)
	if err := fs.Parse(args); err != nil {
		tb.Fatal(err)
	}
	o := &opened{tb: tb}
	env := registry.LabelEnv{Dims: flow.DimsConversation, Backend: caps, MaxFlows: 1 << 16, Now: time.Now, Notify: o.notify, Debugf: tb.Logf}
	if h != nil {
		env.NetNS = &registry.NetNS{Name: h.NetNS(), Do: h.Do}
	}
	if o.Labeler, err = c.Open(context.Background(), env); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := o.Close(); err != nil {
			tb.Error(err)
		}
	})
	return o
}

func (o *opened) notify(format string, args ...any) {
	o.said = append(o.said, fmt.Sprintf(format, args...))
}

// row asks about one row, in a refresh of its own.
func (o *opened) row(r flow.Row) map[string]string {
	o.Labeler.(registry.Windowed).Window(context.Background())
	o.Rows([]*flow.Row{&r})
	return values(&r)
}

// wait asks until the row has the values that want returns. The socket's values may change at any time.
func (o *opened) wait(r flow.Row, want func() map[string]string) {
	o.tb.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		before, got := want(), o.row(r)
		if equal(before, got) {
			return
		}
		if time.Now().After(end) {
			o.tb.Fatalf("row %+v has %v, want %v", r.Key, got, before)
		}
	}
}

func (o *opened) notes() []string { return o.Labeler.(registry.Noted).Notes() }

func (o *opened) hasNote(text string) bool {
	return slices.ContainsFunc(o.notes(), func(n string) bool { return strings.Contains(n, text) })
}
