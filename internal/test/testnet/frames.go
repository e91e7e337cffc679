package testnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// FrameSender sends whole frames out of an interface (AF_PACKET). They pass the queueing discipline
// and so tc. It is not safe for concurrent use.
type FrameSender struct {
	fd    int
	iface *Iface
}

// OpenSender returns a sender of frames. The caller must close it.
func (i *Iface) OpenSender() (*FrameSender, error) {
	s := &FrameSender{fd: -1, iface: i}
	err := i.Do(func() (err error) {
		// Protocol 0 receives nothing, so the socket queues nothing.
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err == nil {
		err = unix.Bind(s.fd, &unix.SockaddrLinklayer{Ifindex: i.Index})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("packet socket on %s: %w", i, err), s.Close())
	}
	return s, nil
}

// Send sends each frame once, in order. It returns an error if the link drops a frame, so the
// caller knows how many were sent.
func (s *FrameSender) Send(frames ...[]byte) error {
	for n, f := range frames {
		sent, err := unix.Write(s.fd, f)
		if errors.Is(err, unix.EINTR) {
			sent, err = unix.Write(s.fd, f)
		}
		if err == nil && sent != len(f) {
			err = fmt.Errorf("%d bytes of %d sent", sent, len(f))
		}
		if err != nil {
			return fmt.Errorf("frame %d (%d bytes) on %s: %w", n, len(f), s.iface, err)
		}
	}
	return nil
}

// Close frees the socket. It may be called twice.
func (s *FrameSender) Close() error {
	if s.fd < 0 {
		return nil
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return err
}

// SendFrames sends all frames, count times over. It fails the test if a frame is not sent.
func (i *Iface) SendFrames(count int, frames ...[]byte) {
	i.tb.Helper()
	s, err := i.OpenSender()
	if err != nil {
		i.tb.Fatalf("testnet: %v", err)
	}
	defer s.Close()
	for range count {
		if err := s.Send(frames...); err != nil {
			i.tb.Fatalf("testnet: %v", err)
		}
	}
}

// UnusedMAC is a hardware address that no interface has. Hosts receive, count and drop frames to it,
// without an answer.
var UnusedMAC = net.HardwareAddr{0x02, 0, 0, 0, 0, 0xff}

// Ethernet returns a frame from i to an address, with a type and a payload.
func (i *Iface) Ethernet(dst net.HardwareAddr, etherType uint16, payload []byte) []byte {
	f := make([]byte, 0, ethernetLen+len(payload))
	f = append(f, dst...)
	f = append(f, i.MAC...)
	f = binary.BigEndian.AppendUint16(f, etherType)
	return append(f, payload...)
}
