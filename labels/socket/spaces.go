package socket

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/sockdiag"
	"github.com/pktstat/pktstat/internal/netif/netns"
	"github.com/pktstat/pktstat/registry"
)

// space is a network namespace with sockets.
type space struct {
	inode uint32
	path  string // of a file that stood for it; "": the home namespace
	id    int32  // as a Listener gives it
	age   uint32 // of the id
	conn  *sockdiag.Conn

	sockets int // in the last list of all
	lastAsk int // sockets asked for in the last refresh
	asked   int // in this refresh
	listed  bool
	known   map[sockdiag.Ends]sockdiag.Info // in this refresh; State is 0 if there is no socket
}

// begin begins a refresh.
func (s *space) begin() {
	if len(s.known) > 0 {
		s.known = nil // a map does not shrink
	}
	s.lastAsk, s.asked, s.listed = s.asked, 0, false
}

// spaces are the network namespaces of a run. One goroutine at a time may use them.
type spaces struct {
	inside     *registry.NetNS // the home namespace
	home       *space
	everywhere bool // rows may be of any namespace
	other      map[uint32]*space
	scanned    bool // in this refresh
}

// mostSpaces is how many namespaces a run looks into.
const mostSpaces = 1024

func newSpaces(home *registry.NetNS, everywhere bool) (*spaces, error) {
	s := &spaces{inside: home, home: &space{id: sockdiag.Home}, everywhere: everywhere, other: map[uint32]*space{}}
	err := home.Inside(func() (err error) {
		s.home.inode, err = inodeOf(thisThread)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("own network namespace: %w", err)
	}
	return s, nil
}

// thisThread is the network namespace of the calling thread.
const thisThread = "/proc/thread-self/ns/net"

func inodeOf(path string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", path, err)
	}
	return uint32(st.Ino), nil // ns_alloc_inum makes 32-bit numbers
}

// begin begins a refresh.
func (s *spaces) begin() {
	s.scanned = false
	s.home.begin()
	for _, o := range s.other {
		o.begin()
	}
}

// of returns a row's namespace; nil if it is not known.
func (s *spaces) of(inode uint32, begin func(*space)) *space {
	if inode == 0 || inode == s.home.inode {
		return s.home
	}
	if s.other[inode] == nil && s.everywhere && !s.scanned {
		s.scan(begin)
	}
	return s.other[inode]
}

// scan looks for namespaces that have processes or a name. If there are too many, it forgets those
// that have neither any more.
func (s *spaces) scan(begin func(*space)) {
	s.scanned = true
	alive := map[uint32]bool{}
	for _, pattern := range []string{"/proc/[0-9]*/ns/net", "/run/netns/*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			continue // the patterns are well-formed
		}
		for _, path := range paths {
			inode, err := inodeOf(path)
			if err != nil || inode == s.home.inode || alive[inode] {
				continue
			}
			alive[inode] = true
			if known := s.other[inode]; known != nil {
				known.path = path // the process before may have ended
			} else if len(s.other) < mostSpaces {
				o := &space{inode: inode, path: path, id: sockdiag.Home}
				s.other[inode] = o
				begin(o)
			}
		}
	}
	if len(s.other) == mostSpaces {
		maps.DeleteFunc(s.other, func(inode uint32, o *space) bool { return !alive[inode] && o.conn == nil })
	}
}

// number finds out the id that a namespace has in the home namespace, or gives it one. The kernel
// gives ids by itself to namespaces that a veth leads to.
func (s *spaces) number(o *space) error {
	file, err := os.Open(o.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if inode, err := inodeOf(fmt.Sprintf("/proc/self/fd/%d", file.Fd())); err != nil || inode != o.inode {
		return errors.Join(err, errGone)
	}
	return s.inside.Inside(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		fd := int(file.Fd())
		id, err := h.GetNetNsIdByFd(fd)
		if err == nil && id < 0 {
			const anyID = -1
			if err = h.SetNetNsIdByFd(fd, anyID); err == nil {
				id, err = h.GetNetNsIdByFd(fd)
			}
		}
		o.id = int32(id)
		return err
	})
}

// errGone is about a namespace that the path does not stand for any more. Its process has ended, and
// another one may have the process id.
var errGone = errors.New("the network namespace has no process and no name any more")

// dial opens a connection to the sockets of a namespace.
func (s *spaces) dial(o *space, begin func(*space)) error {
	if o.conn != nil {
		return nil
	}
	if o == s.home {
		return s.inside.Inside(func() (err error) { o.conn, err = sockdiag.Dial(); return err })
	}
	err := o.dial()
	if err != nil && !s.scanned {
		s.scan(begin)
		err = o.dial()
	}
	return err
}

func (s *space) dial() error {
	ns, err := netns.Open(s.path)
	if err != nil {
		return err
	}
	err = ns.Do(func() (err error) {
		if inode, err := inodeOf(thisThread); err != nil || inode != s.inode {
			return errors.Join(err, errGone)
		}
		s.conn, err = sockdiag.Dial()
		return err
	})
	return errors.Join(err, ns.Close())
}

// release closes the connections that would keep a namespace alive after its last process; all, if
// all is true.
func (s *spaces) release(all bool) (err error) {
	for _, o := range s.other {
		err = errors.Join(err, o.hangUp())
	}
	if all {
		err = errors.Join(err, s.home.hangUp())
	}
	return err
}

func (s *space) hangUp() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}
