package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/sockdiag"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// connectionsOf is the variable that makes a process of this test connect to itself, as often as it
// says. One process may not have as many sockets as the benchmark needs.
const connectionsOf = "PKTSTAT_TEST_CONNECTIONS"

func TestMain(m *testing.M) {
	n, err := strconv.Atoi(os.Getenv(connectionsOf))
	if err != nil {
		os.Exit(m.Run())
	}
	if err := connectMany(n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("connected")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
}

// connectMany makes n TCP connections on lo, all to one port.
func connectMany(n int) error {
	const family = unix.AF_INET
	listener, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	pid := os.Getpid()
	to := &unix.SockaddrInet4{Addr: [4]byte{127, 1 + byte(pid>>16), byte(pid >> 8), byte(pid)}, Port: 5000}
	if err := unix.Bind(listener, to); err != nil {
		return err
	}
	if err := unix.Listen(listener, 128); err != nil {
		return err
	}
	for range n {
		fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		if err := unix.Connect(fd, to); err != nil {
			return err
		}
		if _, _, err := unix.Accept(listener); err != nil {
			return err
		}
	}
	return nil
}

// manySockets makes TCP connections on the loopback interface of a host. Each has two sockets.
func manySockets(tb testing.TB, h *testnet.Host, connections int) {
	tb.Helper()
	const each = 5000
	for left := connections; left > 0; left -= each {
		cmd := h.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", connectionsOf, min(left, each)))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			tb.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			tb.Fatal(err)
		}
		if err := h.Start(cmd); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _, _ = in.Close(), cmd.Wait() })
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			tb.Fatalf("connect: %q, %v", line, err)
		}
	}
}

// BenchmarkRefresh labels rows on a machine with 100,000 TCP sockets: all rows, or 64 of them. one
// and list are what the kernel takes to answer.
func BenchmarkRefresh(b *testing.B) {
	testenv.Privileged(b)
	h := testnet.NewHost(b)
	const sockets = 100_000
	manySockets(b, h, sockets/2)
	var c *sockdiag.Conn
	if err := h.Do(func() (err error) { c, err = sockdiag.Dial(); return err }); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var ends []sockdiag.Ends
	var began time.Duration
	perSocket := func(b *testing.B, n int) {
		b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/float64(b.N*n), "cpu-ns/socket")
	}
	b.Run("list", func(b *testing.B) {
		began = cpuTime(b)
		for b.Loop() {
			ends = ends[:0]
			if _, err := c.Dump(func(e sockdiag.Ends, _ sockdiag.Info) bool { ends = append(ends, e); return true }); err != nil || len(ends) != sockets {
				b.Fatalf("%d sockets, %v", len(ends), err)
			}
		}
		perSocket(b, sockets)
	})
	b.Run("one", func(b *testing.B) {
		at := 0
		began = cpuTime(b)
		for b.Loop() {
			n := 0
			if err := c.Find(ends[at:at+sockdiag.Batch], func(int, sockdiag.Info) { n++ }); err != nil || n != sockdiag.Batch {
				b.Fatalf("%d sockets, %v", n, err)
			}
			at = (at + sockdiag.Batch) % (sockets - sockdiag.Batch)
		}
		perSocket(b, sockdiag.Batch)
	})
	for _, rows := range []int{64, sockets} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			before := heap()
			o := open(b, h, registry.CapLive|registry.CapInterfaces, "-budget=1m")
			began = cpuTime(b)
			for b.Loop() {
				if n := o.refresh(ends[:rows]); n != rows {
					b.Fatalf("%d rows of %d have values", n, rows)
				}
			}
			perSocket(b, rows)
			b.ReportMetric((heap()-before)/(1<<20), "MiB-kept")
			runtime.KeepAlive(o)
		})
	}
}

// cpuTime is the time that all processors have spent for this process. Other processes on the
// machine do not change it.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heap is the memory in use.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// refresh labels rows as an output does, and returns how many have values.
func (o *opened) refresh(ends []sockdiag.Ends) (n int) {
	o.Labeler.(registry.Windowed).Window(context.Background())
	rows, to := make([]flow.Row, 64), make([]*flow.Row, 64)
	for i := range rows {
		to[i] = &rows[i]
	}
	for len(ends) > 0 {
		some := to[:min(len(to), len(ends))]
		for i, r := range some {
			e := &ends[i]
			*r = flow.Row{Key: flow.Key{
				Proto: flow.TCP, Dir: flow.Egress,
				Src: netip.AddrPortFrom(netip.AddrFrom16(e.Local).Unmap(), e.LocalPort),
				Dst: netip.AddrPortFrom(netip.AddrFrom16(e.Remote).Unmap(), e.RemotePort),
			}}
		}
		o.Rows(some)
		for _, r := range some {
			if len(values(r)) > 0 {
				n++
			}
		}
		ends = ends[len(some):]
	}
	return n
}

// BenchmarkClosed makes and closes connections, while the label listens to them or nothing does.
func BenchmarkClosed(b *testing.B) {
	testenv.Privileged(b)
	h := testnet.NewHost(b)
	for _, listens := range []bool{false, true} {
		b.Run(fmt.Sprintf("listens=%v", listens), func(b *testing.B) {
			if listens {
				open(b, h, registry.CapLive|registry.CapInterfaces)
			}
			err := h.Do(func() error {
				for b.Loop() {
					if err := connectOnce(); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// connectOnce connects two sockets and resets the connection, so that no port stays in TIME_WAIT.
func connectOnce() (err error) {
	const family, kind = unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	var fds []int
	defer func() {
		for _, fd := range fds {
			err = errors.Join(err, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), unix.Close(fd))
		}
	}()
	for range 2 {
		fd, err := unix.Socket(family, kind, 0)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	if err := errors.Join(unix.Bind(fds[0], &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fds[0], 1)); err != nil {
		return err
	}
	to, err := unix.Getsockname(fds[0])
	if err != nil {
		return err
	}
	if err := unix.Connect(fds[1], to); err != nil {
		return err
	}
	server, _, err := unix.Accept4(fds[0], unix.SOCK_CLOEXEC)
	fds = append(fds, server)
	return err
}
