package testnet

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TCPInfo asks a socket for its state.
func TCPInfo(tb testing.TB, c net.Conn) (info *unix.TCPInfo) {
	tb.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); err != nil || failed != nil {
		tb.Fatal(err, failed)
	}
	return info
}

// Acknowledged waits until the other end has all that the socket was given, and returns its state.
func Acknowledged(tb testing.TB, c net.Conn) *unix.TCPInfo {
	tb.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		info := TCPInfo(tb, c)
		if info.Unacked == 0 && info.Notsent_bytes == 0 {
			return info
		}
		if time.Now().After(limit) {
			tb.Fatalf("not acknowledged: %+v", info)
		}
	}
}

// Unmapped returns an end of a TCP socket. An IPv4 address of a socket of AF_INET6 is as in packets.
func Unmapped(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
