package test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// How many interfaces come and go, and for how long. PKTSTAT_CHURN makes it a minute and more.
const (
	churnPairs   = 200
	churnWorkers = 8
	churnTime    = 3 * time.Second
	churnEnv     = "PKTSTAT_CHURN"
)

// TestChurn creates, uses and deletes interfaces at random. pktstat must count all that was sent on
// them. When they are gone, the process must hold no file descriptor, program, map, link, thread or
// memory for them. After its end, the kernel must have none of its objects.
func TestChurn(t *testing.T) {
	testenv.Privileged(t)
	lasts := churnTime
	if s := os.Getenv(churnEnv); s != "" {
		var err error
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		backend []string
		threads int // that the Go runtime may keep
	}{
		{[]string{"tc"}, 8},
		{[]string{"xdp", "--xdp-mode", "generic"}, 8},
		{[]string{"afpacket", "--afpacket-rings", "1"}, churnPairs}, // a thread waits for each ring
	} {
		t.Run(c.backend[0], func(t *testing.T) {
			before := allBPF(t)
			r := quietHost(t)
			args := append([]string{"--netns", r.NetNS(), "-i", "veth*", "-t", "0", "-j", "-b"}, c.backend...)
			p := start(t, nil, args...)
			p.counting()
			said, held := newSayings(p), heldMeanwhile(t, p.cmd.Process.Pid)
			ch := &churn{router: r, said: said, until: time.Now().Add(lasts / 5), sent: map[string]uint64{}}
			ch.run(t) // let buffers grow
			bound := resourcesOf(t, p.cmd.Process.Pid)
			ch.until = time.Now().Add(lasts)
			ch.run(t)
			bound.threads += c.threads
			bound.kilobytes += 16 << 10 // for fragmentation
			eventuallyWithin(t, p.cmd.Process.Pid, bound)
			had := held()
			p.signal(syscall.SIGINT)
			<-said.ended
			got := finalOf(t, p)
			all := uint64(0)
			for _, n := range ch.sent {
				all += n
			}
			if got.Total.Packets != all || !got.Overflow.flow().IsZero() || !got.Lost.flow().IsZero() {
				t.Errorf("%d packets were sent; total %+v, other %+v, lost %+v", all, got.Total, got.Overflow, got.Lost)
			}
			byName := map[string]uint64{}
			for _, l := range got.Links {
				if l.Packets > 0 {
					byName[l.Iface] += l.Packets
				}
			}
			if !maps.Equal(byName, ch.sent) {
				t.Errorf("links have %v, sent %v", byName, ch.sent)
			}
			if kinds := had.kinds(); (c.backend[0] != "afpacket") != (kinds["prog"] > 0 && kinds["map"] > 0) {
				t.Errorf("the process was seen to hold %v", kinds)
			}
			had.gone(t)
			if testenv.IsMachine() { // elsewhere, other processes have objects
				before.nothingNew(t)
			}
			t.Logf("%d interfaces appeared and vanished, %d packets, %v", said.count("has appeared"), all, had.kinds())
		})
	}
}

// sayings are the lines that a process prints, while it runs.
type sayings struct {
	mu    sync.Mutex
	lines map[string]int
	more  chan struct{} // closed at the next line
	ended chan struct{}
}

func newSayings(p *process) *sayings {
	s := &sayings{lines: map[string]int{}, more: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for line := range p.lines {
			s.mu.Lock()
			s.lines[line]++
			close(s.more)
			s.more = make(chan struct{})
			s.mu.Unlock()
		}
	}()
	return s
}

// wait waits until a line was printed n times.
func (s *sayings) wait(line string, n int) error {
	timeout := time.After(time.Minute)
	for {
		s.mu.Lock()
		said, more := s.lines[line], s.more
		s.mu.Unlock()
		if said >= n {
			return nil
		}
		select {
		case <-more:
		case <-s.ended:
			return fmt.Errorf("%q was printed %d times of %d, and the output has ended", line, said, n)
		case <-timeout:
			return fmt.Errorf("%q was printed %d times of %d", line, said, n)
		}
	}
}

// count returns the number of lines that end with a text before the colon.
func (s *sayings) count(end string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line, times := range s.lines {
		if before, _, _ := strings.Cut(line, ":"); strings.HasSuffix(before, end) {
			n += times
		}
	}
	return n
}

// churn creates and deletes pairs vethN and peerN.
type churn struct {
	*router
	said  *sayings
	until time.Time

	mu   sync.Mutex
	sent map[string]uint64 // packets by counted interface
	made [churnPairs]int   // how often each pair was created
}

func (c *churn) run(t *testing.T) {
	t.Helper()
	var workers sync.WaitGroup
	errs := make([]error, churnWorkers)
	for w := range churnWorkers {
		workers.Go(func() { errs[w] = c.work(w) })
	}
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// work creates and deletes a share of the pairs, and finally deletes them all.
func (c *churn) work(worker int) error {
	there := map[int]bool{}
	for time.Now().Before(c.until) {
		n := worker + churnWorkers*rand.IntN(churnPairs/churnWorkers)
		step := c.use
		switch {
		case !there[n]:
			step = c.add
		case rand.IntN(3) == 0:
			step = c.del
		}
		if err := step(n); err != nil {
			return err
		}
		there[n] = true
		if _, err := c.Netlink().LinkByName(name(n)); err != nil {
			delete(there, n)
		}
	}
	for n := range there {
		if err := c.del(n); err != nil {
			return err
		}
	}
	return nil
}

func name(n int) string { return "veth" + strconv.Itoa(n) }

func (c *churn) add(n int) error {
	pair := netlink.NewVeth(netlink.LinkAttrs{Name: name(n), Flags: 1})
	pair.PeerName = "peer" + strconv.Itoa(n)
	if err := c.Netlink().LinkAdd(pair); err != nil {
		return fmt.Errorf("add %s: %w", pair.Name, err)
	}
	for _, name := range []string{pair.Name, pair.PeerName} {
		l, err := c.Netlink().LinkByName(name)
		if err == nil {
			err = c.Netlink().LinkSetUp(l)
		}
		if err != nil {
			return fmt.Errorf("set up %s: %w", name, err)
		}
	}
	c.made[n]++ // no other worker has this pair
	if err := c.said.wait("interface "+pair.Name+" has appeared: counting on it", c.made[n]); err != nil {
		return err
	}
	return c.use(n)
}

// use sends some frames, and waits until they have arrived.
func (c *churn) use(n int) error {
	var ends [2]*testnet.Iface
	for i, name := range []string{name(n), "peer" + strconv.Itoa(n)} {
		end, err := c.up(name)
		if err != nil {
			return err
		}
		ends[i] = end
	}
	count := 1 + rand.IntN(50)
	before := ends[0].Stats().RxPackets
	s, err := ends[1].OpenSender()
	if err != nil {
		return err
	}
	frame := ends[1].Ethernet(testnet.UnusedMAC, 0x88b5, make([]byte, 46))
	for range count {
		err = errors.Join(err, s.Send(frame))
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); ends[0].Stats().RxPackets < before+uint64(count); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%s has not received %d packets", ends[0].Name, count)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[name(n)] += uint64(count)
	return nil
}

// up waits until an interface can send. Before, it has no queue.
func (c *churn) up(name string) (*testnet.Iface, error) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		l, err := c.Netlink().LinkByName(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if a := l.Attrs(); a.OperState == netlink.OperUp {
			return &testnet.Iface{Host: c.Host, Name: name, Index: a.Index, MAC: a.HardwareAddr}, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%s is not up", name)
		}
	}
}

func (c *churn) del(n int) error {
	l, err := c.Netlink().LinkByName(name(n))
	if err == nil {
		err = c.Netlink().LinkDel(l)
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", name(n), err)
	}
	return c.said.wait("interface "+name(n)+" has gone: counting on it ended", c.made[n])
}

// resources are what a process holds.
type resources struct {
	files, programs, maps, links, threads int
	kilobytes                             int // of memory
}

func resourcesOf(t *testing.T, pid int) (r resources) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d", pid)
	infos, err := filepath.Glob(dir + "/fdinfo/*")
	if err != nil || len(infos) == 0 {
		t.Fatalf("file descriptors of %d: %v", pid, err)
	}
	for _, file := range infos {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // closed by now
		}
		r.files++
		for kind, n := range map[string]*int{"link_id": &r.links, "prog_id": &r.programs, "map_id": &r.maps} {
			if strings.Contains(string(text), "\n"+kind+":") {
				*n++
			}
		}
	}
	r.threads = numberIn(t, dir+"/status", "Threads:")
	// Before Linux 6.2 (f1a7941243c1), VmRSS lacks pages that a thread has mapped since its last
	// page fault. That would be the whole flow table.
	r.kilobytes = numberIn(t, dir+"/smaps_rollup", "Rss:")
	return r
}

// numberIn reads a number from a line of a kernel file.
func numberIn(t *testing.T, file, name string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == name {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			return n
		}
	}
	t.Fatalf("%s has no %s", file, name)
	return 0
}

// eventuallyWithin waits until a process holds no more than bound.
func eventuallyWithin(t *testing.T, pid int, bound resources) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now := resourcesOf(t, pid)
		if now.files <= bound.files && now.programs <= bound.programs && now.maps <= bound.maps && now.links <= bound.links &&
			now.threads <= bound.threads && now.kilobytes <= bound.kilobytes {
			t.Logf("bound %+v, now %+v", bound, now)
			return
		}
		if time.Now().After(end) {
			t.Fatalf("bound %+v, now %+v", bound, now)
		}
	}
}
