package test

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/sockdiag"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// socketRow is what a row of a JSON report has of its socket.
type socketRow struct {
	Proto       string
	LocalPort   uint16  `json:"local_port"`
	SRTT        float64 `json:"srtt"`
	MinRTT      float64 `json:"min_rtt"`
	Cwnd        uint64
	SocketState string `json:"socket_state"`
}

// TestSocketsOfRun: a run has the values of a socket that is open at its end, and of one that closed
// before. Without cap_net_admin it has only the former, and a note.
func TestSocketsOfRun(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	address := listen(t, b)
	for _, tt := range []struct {
		name         string
		args         []string
		caps         []uintptr // of a user without privileges; nil: root
		open, closed string
		note         bool
	}{
		{"root", nil, nil, "established", "closed", false},
		{"turned off", []string{"--socket=false"}, nil, "", "", false},
		{"without cap_net_admin", nil, []uintptr{unix.CAP_NET_RAW}, "established", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), pktstat(t), append([]string{"-i", a.Name, "--by", "conversation", "--sort", "local_port", "--output", "json"}, tt.args...)...)
			if tt.caps != nil {
				cmd = as(cmd, unprivileged, tt.caps...)
			}
			p := launch(t, a.Host, cmd)
			p.counting()
			short, shortPort := echoed(t, a, address)
			destroyed := destruction(t, a, shortPort)
			_ = short.Close()
			<-destroyed
			open, openPort := echoed(t, a, address)
			defer func() { _ = open.Close() }()
			p.signal(os.Interrupt)
			if code := p.wait(); code != 0 {
				t.Fatalf("exit code %d: %s", code, p.errors())
			}
			var r struct {
				Flows []socketRow
				Notes []string
			}
			if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
				t.Fatal(err)
			}
			for port, want := range map[uint16]string{openPort: tt.open, shortPort: tt.closed} {
				i := slices.IndexFunc(r.Flows, func(row socketRow) bool { return row.Proto == "TCP" && row.LocalPort == port })
				if i < 0 {
					t.Fatalf("no row of port %d: %+v", port, r.Flows)
				}
				row := r.Flows[i]
				if measured := row.SRTT > 0 && row.MinRTT > 0 && row.Cwnd > 0; row.SocketState != want || measured != (want != "") {
					t.Errorf("state %q is wanted: %+v", want, row)
				}
			}
			if note := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "needs root or cap_net_admin") }); note != tt.note {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

// echoed opens a connection, and waits for an echo.
func echoed(t *testing.T, from *testnet.Iface, to string) (c net.Conn, port uint16) {
	t.Helper()
	err := from.Do(func() (err error) {
		c, err = net.Dial("tcp4", to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("echo")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	return c, netip.MustParseAddrPort(c.LocalAddr().String()).Port()
}

// destruction returns a channel that is closed when the kernel has destroyed the socket on a port.
func destruction(t *testing.T, at *testnet.Iface, port uint16) <-chan struct{} {
	t.Helper()
	var l *sockdiag.Listener
	if err := at.Do(func() (err error) { l, err = sockdiag.Listen(false); return err }); err != nil {
		t.Fatal(err)
	}
	destroyed := make(chan struct{})
	var once sync.Once
	var reading sync.WaitGroup
	reading.Go(func() {
		err := l.Read(func(_ int32, e sockdiag.Ends, _ sockdiag.Info) {
			if e.LocalPort == port {
				once.Do(func() { close(destroyed) })
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		reading.Wait()
	})
	return destroyed
}
