package test

import (
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	_ "github.com/pktstat/pktstat/backends/all"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// owned is the owner of a flow in a JSON report.
type owned struct {
	Proto       string
	Src, Dst    netip.Addr
	SrcPort     uint16 `json:"src_port"`
	DstPort     uint16 `json:"dst_port"`
	Direction   string
	Bytes       uint64
	PID         int
	Comm        string
	UID         *int
	CgroupID    uint64 `json:"cgroup_id"`
	Cgroup      string
	Container   string
	Match       string
	Retransmits uint64
}

func ownersIn(t *testing.T, report string) []owned {
	t.Helper()
	var r struct{ Flows []owned }
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	return r.Flows
}

// talk exchanges n bytes between two hosts. This process is client and server.
func talk(t *testing.T, from, to *testnet.Iface, n int) (client, server netip.AddrPort) {
	t.Helper()
	var l net.Listener
	if err := to.Do(func() (err error) {
		l, err = net.Listen("tcp4", to.IPv4.String()+":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()
	var c net.Conn
	if err := from.Do(func() (err error) {
		c, err = net.Dial("tcp4", l.Addr().String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddrPort(c.LocalAddr().String()), netip.MustParseAddrPort(l.Addr().String())
}

// self reads a file of /proc/self.
func self(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// TestWhoseTraffic: with every live backend, the binary names the process of a connection that is
// already closed.
func TestWhoseTraffic(t *testing.T) {
	testenv.Privileged(t)
	_, cgroup, _ := strings.Cut("\n"+self(t, "cgroup"), "\n0::")
	cgroup, _, _ = strings.Cut(cgroup, "\n")
	for name, b := range registry.Backends.All() {
		if !b.Caps.Has(registry.CapLive) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			a, c := testnet.Pair(t, testnet.Link{})
			args := []string{"-b", name, "-t", "0", "--output", "json"}
			if b.Caps.Has(registry.CapInterfaces) {
				args = append(args, "-i", a.Name)
			}
			if !b.Caps.Has(registry.CapProcess) {
				args = append(args, "--process")
			}
			p := start(t, a.Host, args...)
			p.counting()
			client, server := talk(t, a, c, 5000)
			a.Settle()
			p.signal(syscall.SIGINT)
			if code := p.wait(); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, p.errors())
			}
			var seen uint64
			for _, f := range ownersIn(t, p.stdout.String()) {
				if f.Match == "" {
					t.Errorf("without a match: %+v", f)
				}
				ends := [2]netip.AddrPort{netip.AddrPortFrom(f.Src, f.SrcPort), netip.AddrPortFrom(f.Dst, f.DstPort)}
				if ends != [2]netip.AddrPort{client, server} && ends != [2]netip.AddrPort{server, client} {
					continue
				}
				seen += f.Bytes
				if f.PID != os.Getpid() || f.Comm != self(t, "comm") || f.UID == nil || *f.UID != os.Getuid() ||
					f.Match != "exact" || f.CgroupID == 0 || f.Cgroup != cgroup {
					t.Errorf("want process %d %q in %s, exactly: %+v", os.Getpid(), self(t, "comm"), cgroup, f)
				}
			}
			if seen < 5000 {
				t.Errorf("%d bytes of %s and %s", seen, client, server)
			}
		})
	}
}

// TestWithoutProcesses: without --process, reports have no processes.
func TestWithoutProcesses(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	p := start(t, a.Host, "-b", "kprobe", "--process=false", "-t", "0", "--output", "json")
	p.counting()
	talk(t, a, b, 5000)
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.errors())
	}
	flows := ownersIn(t, p.stdout.String())
	for _, f := range flows {
		if f.Match != "" || f.PID != 0 || f.Cgroup != "" {
			t.Errorf("%+v", f)
		}
	}
	if len(flows) == 0 {
		t.Error("no flows")
	}
}

// TestKilledWithProcesses: the programs that watch sockets vanish with the process.
func TestKilledWithProcesses(t *testing.T) {
	testenv.Privileged(t)
	a, _ := testnet.Pair(t, testnet.Link{})
	for _, args := range [][]string{{"-b", "xdp", "--process", "-i", a.Name}, {"-b", "cgroup"}, {"-b", "kprobe"}} {
		p := start(t, a.Host, append(args, "-t", "0", "--output", "json")...)
		p.counting()
		held := bpfObjects{}
		held.add(p.cmd.Process.Pid)
		if n := held.kinds()["prog"]; n < 9 { // those that watch sockets, and some that count
			t.Errorf("%q: %d programs while counting", args, n)
		}
		p.signal(syscall.SIGKILL)
		if code := p.wait(); code != -1 {
			t.Fatalf("%q: exit code %d after SIGKILL", args, code)
		}
		held.gone(t)
	}
}
