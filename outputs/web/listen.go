package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/net/netutil"

	"github.com/pktstat/pktstat/registry"
)

// defaultAddress is the address without a target.
const defaultAddress = "127.0.0.1:8080"

// maxConnections bounds the memory and descriptors for browsers.
const maxConnections = 256

// listen opens the address of a target: HOST:PORT, PORT on loopback, or nothing.
func listen(ctx context.Context, target string) (net.Listener, error) {
	address, err := addressOf(target)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	var dns *net.DNSError
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: another program has this port: choose another one, or 0 for any free port", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%w: listen on %s: this machine does not have that address", registry.ErrUsage, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: %w", address, registry.NeedCaps(err, "cap_net_bind_service"))
	case errors.As(err, &dns):
		return nil, fmt.Errorf("%w: listen on %s: %w", registry.ErrUsage, address, err)
	}
	return nil, fmt.Errorf("listen on %s: %w", address, err)
}

func addressOf(target string) (string, error) {
	if target == "" || target == "-" {
		return defaultAddress, nil
	}
	if isPort(target) {
		return net.JoinHostPort("127.0.0.1", target), nil
	}
	host, port, err := net.SplitHostPort(target)
	if err != nil || !isPort(port) {
		return "", fmt.Errorf("%w: %q is not an address to listen on: use HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, or only PORT", registry.ErrUsage, target)
	}
	return net.JoinHostPort(host, port), nil
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

func limited(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConnections) }

// hostOf returns the host of an address for other machines. For the unspecified address, it returns
// this machine's first address that is not loopback.
func hostOf(a *net.TCPAddr) string {
	if !a.IP.IsUnspecified() {
		return a.IP.String()
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, i := range addrs {
		if n, ok := i.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && (a.IP.To4() == nil || n.IP.To4() != nil) {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}

// portOf returns the port of an open listener.
func portOf(a *net.TCPAddr) string { return strconv.Itoa(a.Port) }

// hostName returns the name in a Host header, without its port.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(host, ".")), "["), "]")
}
