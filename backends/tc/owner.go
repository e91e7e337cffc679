package tc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// owner marks filters as needed. While the owner lives, a socket is bound to its token in the
// abstract namespace. The kernel keeps that namespace for each network namespace, like filters.
// So a pktstat can check whether the owner of a filter is alive, in any container or PID
// namespace.
type owner struct {
	token string
	conn  *net.UnixConn
}

func newOwner() (*owner, error) {
	token := rand.Text() // tokenLen letters and digits
	conn, err := net.ListenUnixgram("unixgram", tokenAddr(token))
	if err != nil {
		return nil, fmt.Errorf("claim filters: %w", err)
	}
	return &owner{token, conn}, nil
}

// close may be called twice.
func (o *owner) close() error {
	if err := o.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func tokenAddr(token string) *net.UnixAddr {
	return &net.UnixAddr{Net: "unixgram", Name: "@pktstat-tc-" + token}
}

// ownedName is the name of a filter of ours.
type ownedName struct {
	token   string
	created bool // a pktstat has created the qdisc
}

const (
	namePrefix  = "pktstat:"
	nameCreated = ":qdisc"
	tokenLen    = 26
)

func (n ownedName) String() string {
	s := namePrefix + n.token
	if n.created {
		s += nameCreated
	}
	return s
}

// ownName reads the name of a filter. ok is false if the filter is not ours.
func ownName(f netlink.Filter) (n ownedName, ok bool) {
	bpf, ok := f.(*netlink.BpfFilter)
	if !ok {
		return n, false
	}
	rest, ok := strings.CutPrefix(bpf.Name, namePrefix)
	if !ok {
		return n, false
	}
	n.token, n.created = strings.CutSuffix(rest, nameCreated)
	return n, len(n.token) == tokenLen
}

// alive reports whether the owner is alive. In doubt, it returns true.
func (n ownedName) alive() bool {
	conn, err := net.DialUnix("unixgram", nil, tokenAddr(n.token))
	if err != nil {
		return !errors.Is(err, unix.ECONNREFUSED)
	}
	_ = conn.Close()
	return true
}
