package afpacket

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestRetransmits: what a socket says that it sent again (TCP_INFO) is what the packets say, in
// segments and bytes, in super-frames and without.
func TestRetransmits(t *testing.T) {
	for name, offloads := range map[string]bool{"frames": false, "super-frames": true} {
		t.Run(name, func(t *testing.T) {
			testenv.Privileged(t)
			a, b := testnet.Pair(t, testnet.Link{Offloads: offloads})
			livetest.Lossy(t, b, 10)
			s := livetest.Open(t, "afpacket", []string{"--rings", "2"}, a)
			var l net.Listener
			if err := b.Do(func() (err error) {
				l, err = net.Listen("tcp", "0.0.0.0:7002")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						_, _ = io.Copy(io.Discard, c)
						_ = c.Close()
					}()
				}
			}()
			var want flow.Health
			ports := map[uint16]bool{}
			for range 4 {
				port, h := upload(t, a, netip.AddrPortFrom(b.IPv4, 7002))
				ports[port] = true
				want.Add(h)
			}
			var got flow.Health
			for _, r := range s.Records() {
				if k := r.Key.Key(); k.Dir == flow.Egress && ports[k.Src.Port()] {
					got.Add(r.Health)
				}
			}
			if want.Retransmits == 0 || got != want {
				t.Errorf("%+v, the sockets say %+v", got, want)
			}
		})
	}
}

// upload sends data, and returns what the socket has sent again when all of it is acknowledged. It
// leaves the connection open: a FIN could be sent again later.
func upload(t *testing.T, from *testnet.Iface, to netip.AddrPort) (port uint16, h flow.Health) {
	t.Helper()
	var conn net.Conn
	if err := from.Do(func() (err error) {
		conn, err = net.Dial("tcp", to.String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for range 40 {
		if _, err := conn.Write(make([]byte, 20_000)); err != nil {
			t.Fatal(err)
		}
	}
	info := testnet.Acknowledged(t, conn)
	return testnet.Unmapped(conn.LocalAddr()).Port(), flow.Health{Retransmits: uint64(info.Total_retrans), RetransmitBytes: info.Bytes_retrans}
}

// TestConnect: a port without a listener refuses, and its RST counts. What nothing answers fails
// later.
func TestConnect(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "afpacket", nil, a)
	if err := a.Do(func() error {
		_, err := net.Dial("tcp", netip.AddrPortFrom(b.IPv4, 7003).String())
		return err
	}); err == nil {
		t.Fatal("connected")
	}
	var resets, failed uint64
	for _, r := range s.Records() {
		resets += r.Resets
		failed += r.ConnectFailed
		if k := r.Key.Key(); r.ConnectFailed > 0 && (k.Dir != flow.Egress || k.Dst.Port() != 7003) || r.Resets > 0 && k.Dir != flow.Ingress {
			t.Errorf("%+v: %+v", k, r.Health)
		}
	}
	if resets != 1 || failed != 1 {
		t.Errorf("%d resets, %d failed", resets, failed)
	}
}
