package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// TestNetNS: the binary counts in another network namespace. Its own threads, files and sockets
// stay in its caller's namespace.
func TestNetNS(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	inside := a.Command("sleep", "1000")
	if err := a.Start(inside); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inside.Process.Kill(); _ = inside.Wait() }()
	for _, c := range []struct {
		netns string
		args  []string
		since string
		sees  registry.Caps
	}{
		{a.NetNS(), []string{"-b", "tc", "-i", a.Name, "--tc-attach", "tcx"}, "6.6", registry.CapIngress | registry.CapEgress},
		{strconv.Itoa(inside.Process.Pid), []string{"-b", "tc", "-i", "veth*", "--tc-attach", "clsact"}, "4.5", registry.CapIngress | registry.CapEgress},
		{"/run/netns/" + a.NetNS(), []string{"-x", "-i", a.Name}, "5.9", registry.CapIngress},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.json")
			args := append(slices.Clone(c.args), "--netns", c.netns, "-t", "0", "--output", "json="+file)
			testenv.Feature(t, c.args[0], c.since, func() error {
				if p := start(t, nil, append(args, "-t", "1ms")...); p.wait() != 0 {
					return fmt.Errorf("%s", p.errors())
				}
				return nil
			})
			p := start(t, nil, args...)
			if line := p.counting(); !strings.HasPrefix(line, "counting on "+a.Name+" (") || !strings.Contains(line, "; in network namespace "+c.netns) {
				t.Errorf("%q", line)
			}
			sent := sendEveryday(t, a, b).seenBy(c.sees)
			sameNamespace(t, p.cmd.Process.Pid)
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, p.errors())
			}
			checkFlows(t, readReport(t, file).byPassage(), sent.known)
			if ids := attached(t, a); len(ids) != 0 {
				t.Errorf("programs %v are still attached", ids)
			}
		})
	}
}

// sameNamespace waits until all threads of a process are in this test's network namespace. A thread
// may be elsewhere for a moment.
func sameNamespace(t *testing.T, pid int) {
	t.Helper()
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/ns/net", pid))
		if err != nil || len(threads) == 0 {
			t.Fatalf("threads of %d: %v", pid, err)
		}
		elsewhere := 0
		for _, thread := range threads {
			if ns, err := os.Readlink(thread); err == nil && ns != own {
				elsewhere++
			}
		}
		if elsewhere == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d threads are in another network namespace", elsewhere, len(threads))
		}
	}
}

// TestNetNSFollows: an interface that returns in the other namespace is counted again. The default
// interface is the other namespace's.
func TestNetNSFollows(t *testing.T) {
	testenv.Privileged(t)
	a, _ := testnet.Pair(t, testnet.Link{})
	if p := start(t, nil, "--netns", a.NetNS(), "-t", "1ms"); p.wait() != 1 || !strings.Contains(p.errors(), "there are lo, "+a.Name) {
		t.Errorf("no default route there: %s", p.errors())
	}
	p := start(t, nil, "-b", "tc", "--netns", a.NetNS(), "-i", a.Name, "-t", "0", "-j")
	p.counting()
	a.SendFrames(3, a.Ethernet(testnet.UnusedMAC, 0x88b5, make([]byte, 46)))
	link, err := a.Netlink().LinkByName(a.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Netlink().LinkDel(link); err != nil {
		t.Fatal(err)
	}
	p.expect("interface " + a.Name + " has gone")
	again := netlink.NewVeth(netlink.LinkAttrs{Name: a.Name})
	again.PeerName = "peer"
	if err := a.Netlink().LinkAdd(again); err != nil {
		t.Fatal(err)
	}
	p.expect("interface " + a.Name + " has returned: counting on it again")
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.errors())
	}
	if r := parseReport(t, []byte(p.stdout.String())); r.Total.Packets != 3 {
		t.Errorf("%+v", r.Total)
	}
}

func TestNetNSMakesNoSense(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--netns", "no-such-name"}, "network namespace no-such-name: no namespace has this name, see `ip netns`"},
		{[]string{"--netns", ""}, "a name, a process id or a path is missing"},
		{[]string{"--netns", "/proc/self/ns/net", "--pcap-file", "../testdata/mix.pcap"}, "--netns and ../testdata/mix.pcap: a run counts on interfaces or reads captures"},
	} {
		if p := start(t, nil, c.args...); p.wait() != 2 || !strings.Contains(p.errors(), c.want) {
			t.Errorf("%q: %s", c.args, p.errors())
		}
	}
}

// TestNetNSWhose: the other namespace's sockets show the process of a flow, even if a process of
// this namespace has a socket with the same addresses.
func TestNetNSWhose(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	for _, backend := range []string{"tc", "afpacket"} {
		p := start(t, nil, "--netns", a.NetNS(), "-b", backend, "-i", a.Name, "--process", "-t", "0", "-j")
		p.counting()
		client, server := talk(t, a, b, 5000)
		a.Settle()
		p.signal(syscall.SIGINT)
		if code := p.wait(); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, p.errors())
		}
		seen := 0
		for _, f := range ownersIn(t, p.stdout.String()) {
			if f.SrcPort != client.Port() && f.DstPort != client.Port() || f.SrcPort != server.Port() && f.DstPort != server.Port() {
				continue
			}
			seen++
			if f.PID != os.Getpid() || f.Match != "exact" {
				t.Errorf("%s: want process %d, exactly: %+v", backend, os.Getpid(), f)
			}
		}
		if seen != 2 {
			t.Errorf("%s: %d flows", backend, seen)
		}
	}
}
