package process_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/cgroup2"
	"github.com/pktstat/pktstat/internal/owner/containers"
	"github.com/pktstat/pktstat/internal/test/linuxversion"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestOtherProtocols covers protocols other than TCP, UDP and ICMP.
func TestOtherProtocols(t *testing.T) {
	const experimental = 253 // RFC 3692
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		client, server := observe(t, backend, a), observe(t, backend, b)
		for _, c := range []struct {
			name   string
			proto  flow.Proto
			typ    int
			server flow.Match // if the hook does not know the socket
		}{
			{name: "UDP-Lite", proto: flow.UDPLite, typ: unix.SOCK_DGRAM, server: flow.MatchExact},
			{name: "SCTP", proto: flow.SCTP, typ: unix.SOCK_STREAM, server: flow.MatchExact},
			{name: "raw", proto: experimental, typ: unix.SOCK_RAW, server: flow.MatchPort},
		} {
			if c.proto == flow.UDPLite && retired(t) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				fd, err := unix.Socket(unix.AF_INET, c.typ, int(c.proto))
				if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ESOCKTNOSUPPORT) {
					t.Skipf("this kernel has no %s", c.name)
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := unix.Close(fd); err != nil {
					t.Fatal(err)
				}
				var port uint16
				if c.typ != unix.SOCK_RAW {
					port = udpPort
				}
				client.records, server.records = nil, nil
				srv := start(t, b.Host, role{Name: "sockserver", N: int(c.proto), Size: c.typ, Local: at(b.IPv4, port)})
				p := launch(t, a.Host, role{Name: "sockquery", N: int(c.proto), Size: c.typ, Remote: at(b.IPv4, port)})
				from := number(t, p.answer())
				client.collect()
				server.collect()
				here := conversation{c.proto, at(a.IPv4, from), at(b.IPv4, port)}
				client.expect(here, p.pid(), "sockquery", flow.MatchExact)
				server.expectEach(conversation{c.proto, here.remote, here.local}, srv.pid(), "sockserver", server.ifUnknown(c.server))
			})
		}
	})
}

// retired reports whether the kernel lacks UDP-Lite, which later kernels removed.
func retired(t *testing.T) bool {
	t.Helper()
	v, err := linuxversion.Running()
	if err != nil {
		t.Fatal(err)
	}
	return !v.Before(linuxversion.Version{Major: 7})
}

// group makes a cgroup and removes it at the end of the test.
func group(t *testing.T, name string) string {
	t.Helper()
	root, err := cgroup2.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	dir := fmt.Sprintf("/proc/self/fd/%d/%s", root.Fd(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // cleanups run in reverse order: the processes have ended
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// ownCgroup returns the path of this process's cgroup.
func ownCgroup(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	_, path, _ := strings.Cut("\n"+string(b), "\n0::")
	path, _, _ = strings.Cut(path, "\n")
	return path
}

func (p *helper) moveTo(dir string) {
	p.tb.Helper()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(int(p.pid()))), 0); err != nil {
		p.tb.Fatal(err)
	}
}

// TestNewCgroups: pktstat resolves a cgroup and its container that were made after the start. A
// socket stays in the cgroup in which it was made, as backend cgroup reports. The others report the
// process's cgroup.
func TestNewCgroups(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		start(t, b.Host, role{Name: "udpserver.main", Local: at(b.IPv4, udpPort)})
		start(t, b.Host, role{Name: "tcpserver.main", Local: at(b.IPv4, tcpPort)})
		w := observe(t, backend, a)
		w.collect()

		sum := sha256.Sum256([]byte(backend + strconv.Itoa(os.Getpid())))
		id := hex.EncodeToString(sum[:])
		name, want := "docker-"+id+".scope", "docker:"+id[:12]
		dir := group(t, name)
		q := start(t, a.Host, role{Name: "latequery", Remote: at(b.IPv4, udpPort), Size: 10})
		q.moveTo(dir)
		c := conversation{flow.UDP, at(a.IPv4, number(t, q.order())), at(b.IPv4, udpPort)}
		q.end()
		w.collect()
		w.expect(c, q.pid(), "latequery", flow.MatchExact)
		for _, r := range w.of(c) {
			o := w.owners.Get(r.Key.OwnerID)
			if is := containers.Parse(o.Cgroup); o.Cgroup != "/"+name || is.String() != want {
				t.Errorf("in a new cgroup: %+v, %v, want /%s and %s", o, &is, name, want)
			}
		}

		p := launch(t, a.Host, role{Name: "tcplong", Remote: at(b.IPv4, tcpPort), Size: 10})
		c = conversation{flow.TCP, at(a.IPv4, number(t, p.answer())), at(b.IPv4, tcpPort)}
		w.collect()
		p.moveTo(dir)
		where := "/" + name
		if w.sockets {
			where = ownCgroup(t)
		}
		var o flow.Owner
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) { // until a pass has listed all sockets again
			w.records = nil
			p.order()
			w.collect()
			for _, r := range w.of(c) {
				o = w.owners.Get(r.Key.OwnerID)
			}
			if o.Cgroup == where || time.Now().After(end) {
				break
			}
		}
		if o.Cgroup != where || o.PID != p.pid() {
			t.Errorf("process moved after it made its socket: %+v, want %s", o, where)
		}
		p.end()
	})
}
