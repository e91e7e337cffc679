package process_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testnet"
)

// conn is a connection of this process. Its peer can answer with its PID.
type conn struct {
	net.Conn
	t     *testing.T
	local netip.AddrPort
}

func newConn(t *testing.T, from *testnet.Iface, to netip.AddrPort, mptcp bool) *conn {
	t.Helper()
	c := &conn{t: t}
	if err := from.Do(func() (err error) {
		c.Conn, err = dial(role{Remote: to, MPTCP: mptcp}, "tcp")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Conn.Close() })
	c.local = netip.MustParseAddrPort(c.LocalAddr().String())
	return c
}

// newDatagrams is newConn for UDP.
func newDatagrams(t *testing.T, from *testnet.Iface, to netip.AddrPort) *conn {
	t.Helper()
	c := &conn{t: t}
	if err := from.Do(func() (err error) {
		c.Conn, err = dial(role{Remote: to}, "udp")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Conn.Close() })
	c.local = netip.MustParseAddrPort(c.LocalAddr().String())
	return c
}

// whoAnswers asks a worker for its PID.
func (c *conn) whoAnswers() uint32 {
	c.t.Helper()
	if _, err := c.Write(make([]byte, 100)); err != nil {
		c.t.Fatal(err)
	}
	buf := make([]byte, 100)
	if _, err := io.ReadFull(c, buf); err != nil {
		c.t.Fatal(err)
	}
	return binary.BigEndian.Uint32(buf)
}
