package tc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/testenv"
	"github.com/pktstat/pktstat/internal/testnet"
)

const insideEnv = "PKTSTAT_TEST_INSIDE"

// TestWatch renames, deletes and recreates an interface that is counted on. It runs
// again in a process that is in a network namespace with all of its threads.
func TestWatch(t *testing.T) {
	testenv.Privileged(t)
	if os.Getenv(insideEnv) == "" {
		h := testnet.NewHost(t)
		cmd := h.Command(os.Args[0], "-test.run=^TestWatch$", "-test.v")
		cmd.Env = append(os.Environ(), insideEnv+"=1")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := h.Start(cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("inside: %v", err)
		}
		return
	}
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			needsMethod(t, method)
			testWatch(t, method)
		})
	}
}

func testWatch(t *testing.T, method string) {
	on := &testnet.Iface{Name: "w0", Index: newVeth(t, "w0")}
	said := &lines{}
	env := setup(method, on).Env
	env.Notify = said.add
	s, err := (&config{method: method}).Open(context.Background(), env)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	o := &opened{Source: s, on: on}

	send(t, "w0", 5)
	rename(t, "w0", "w0renamed")
	said.wait(t, "interface w0 is now named w0renamed")
	if a := o.attachment(); len(a.Interfaces) != 1 || a.Interfaces[0].Name != "w0renamed" {
		t.Errorf("after the new name: %+v", a)
	}
	send(t, "w0renamed", 3)
	deleteLink(t, "w0renamed")
	said.wait(t, "interface w0renamed has gone")
	if got := counted(o.records(t), on.Index); got != 8 {
		t.Errorf("%d packets are counted of 8 before the interface went", got)
	}

	// Another interface is none of ours; one of the name that was asked for is.
	newVeth(t, "x0")
	index := newVeth(t, "w0")
	said.wait(t, "interface w0 has returned: counting on it again")
	send(t, "w0", 4)
	send(t, "x0", 9)
	if got := counted(o.records(t), index); got != 4 {
		t.Errorf("%d packets are counted of 4 after the interface returned", got)
	}
	a := o.attachment()
	if len(a.Interfaces) != 2 || a.Interfaces[0].Index != uint32(on.Index) || a.Interfaces[1].Index != uint32(index) {
		t.Errorf("after the return: %+v", a)
	}
	deleteLink(t, "x0")
	deleteLink(t, "w0")
	said.wait(t, "interface w0 has gone")
}

// counted returns the packets that send has made.
func counted(records []flow.Record, index int) (n uint64) {
	for _, r := range records {
		if r.Key.EtherType == testType && r.Key.Ifindex == uint32(index) {
			n += r.Packets
		}
	}
	return n
}

const testType = 0x88b5 // for local experiments (IEEE 802)

func newVeth(t *testing.T, name string) (index int) {
	t.Helper()
	v := netlink.NewVeth(netlink.LinkAttrs{Name: name})
	v.PeerName = name + "p"
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{name, name + "p"} {
		if err := netlink.LinkSetUp(byName(t, n)); err != nil {
			t.Fatal(err)
		}
	}
	return byName(t, name).Attrs().Index
}

func byName(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	l := byName(t, from)
	err := netlink.LinkSetName(l, to)
	if errors.Is(err, unix.EBUSY) { // before 6.2 only while it is down (bd039b5ea2a9)
		err = errors.Join(netlink.LinkSetDown(l), netlink.LinkSetName(l, to), netlink.LinkSetUp(l))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func deleteLink(t *testing.T, name string) {
	t.Helper()
	if err := netlink.LinkDel(byName(t, name)); err != nil {
		t.Fatal(err)
	}
}

// send sends n frames out of an interface.
func send(t *testing.T, name string, n int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	frame := make([]byte, 60)
	frame[12], frame[13] = testType>>8, testType&0xff
	for range n {
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: byName(t, name).Attrs().Index}); err != nil {
			t.Fatal(err)
		}
	}
}

// lines are what a source says to the user.
type lines struct {
	mu   sync.Mutex
	said []string
}

func (l *lines) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, fmt.Sprintf(format, args...))
}

// wait waits for a line that contains text.
func (l *lines) wait(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		said := slices.Clone(l.said)
		l.mu.Unlock()
		if slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, text) }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nothing was said of %q, but %q", text, said)
		}
	}
}
