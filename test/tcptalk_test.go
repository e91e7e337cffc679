package test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
)

// tcpTalk writes TCP connections to a capture as the client's host sees them.
type tcpTalk struct {
	t    *testing.T
	w    *pcapfile.Writer
	at   time.Time
	snap int

	port     uint16    // of the client
	next     [2]uint32 // sequence number that each end sends next
	received [2]uint32 // highest ACK number that each end may send
}

// Ends of a connection.
const (
	client = iota
	server
)

// Time between two packets, shorter than the handshake, and a time that no order explains.
const (
	soon = 20 * time.Microsecond
	late = 100 * time.Millisecond
)

func (c *tcpTalk) segment(from int, seq uint32, payload int, flags flow.TCPFlags, after time.Duration) {
	c.t.Helper()
	c.at = c.at.Add(after)
	src, dst := [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 2}
	ports := [2]uint16{c.port, 443}
	if from == server {
		src, dst, ports = dst, src, [2]uint16{443, c.port}
	}
	d := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, byte(flow.TCP), 0, 0)
	binary.BigEndian.PutUint16(d[16:], uint16(20+20+payload))
	d = append(append(d, src[:]...), dst[:]...)
	d = binary.BigEndian.AppendUint16(d, ports[0])
	d = binary.BigEndian.AppendUint16(d, ports[1])
	d = binary.BigEndian.AppendUint32(d, seq)
	ack := uint32(0)
	if flags&flow.TCPAck != 0 {
		ack = c.received[from]
	}
	d = binary.BigEndian.AppendUint32(d, ack)
	d = append(d, 5<<4, byte(flags), 0xff, 0xff, 0, 0, 0, 0)
	d = append(d, make([]byte, payload)...)
	p := pcapfile.Packet{Time: c.at, Data: d, OrigLen: len(d)}
	if c.snap > 0 {
		p.Data = d[:min(c.snap, len(d))]
	}
	if err := c.w.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

const (
	acked  = flow.TCPAck
	pushed = flow.TCPAck | flow.TCPPsh
)

// open begins a connection. The SYN is sent 1 + again times.
func (c *tcpTalk) open(rnd *rand.Rand, again int) {
	c.port++
	c.next = [2]uint32{rnd.Uint32(), rnd.Uint32()}
	if rnd.IntN(3) == 0 {
		c.next[client] = -uint32(1 + rnd.IntN(5000)) // its data passes the wrap
	}
	isn := c.next
	for i := range again + 1 {
		c.segment(client, isn[client], 0, flow.TCPSyn, time.Duration(i)*late+late)
	}
	c.next[client]++
	c.received[server] = c.next[client]
	c.segment(server, isn[server], 0, flow.TCPSyn|flow.TCPAck, time.Millisecond)
	c.next[server]++
	c.received[client] = c.next[server]
	c.segment(client, c.next[client], 0, acked, 10*time.Microsecond)
}

// send sends segments of the given lengths, the first of which may come last.
func (c *tcpTalk) send(from int, overtaken bool, lengths ...int) {
	type sent struct {
		seq    uint32
		length int
	}
	var all []sent
	for _, n := range lengths {
		all = append(all, sent{c.next[from], n})
		c.next[from] += uint32(n)
	}
	if overtaken {
		all = append(all[1:], all[0])
	}
	for _, s := range all {
		c.segment(from, s.seq, s.length, pushed, soon)
	}
}

// again sends a range again, that ends before what is to be sent next.
func (c *tcpTalk) again(from, back, length int, after time.Duration) {
	c.segment(from, c.next[from]-uint32(back), length, pushed, after)
}

func (c *tcpTalk) ack(from int) {
	c.received[from] = c.next[1-from]
	c.segment(from, c.next[from], 0, acked, soon)
}

// converse makes a connection at random. Segments are lost and sent again, some of them after
// three ACKs or though they had arrived. There are overtaken ones, keep-alives, and FIN or RST.
func (c *tcpTalk) converse(rnd *rand.Rand) {
	c.open(rnd, rnd.IntN(3)/2)
	for range 5 + rnd.IntN(20) {
		from := rnd.IntN(2)
		size := func() int { return 2 + rnd.IntN(1400) }
		a, b, d := size(), size(), size()
		switch rnd.IntN(8) {
		case 0:
			c.send(from, true, a, b, d)
		case 1:
			c.send(from, false, a, b, d)
			c.again(from, a+b+d, a, late) // timeout
		case 2:
			c.send(from, false, a, b, d)
			for range 4 {
				c.segment(1-from, c.next[1-from], 0, acked, soon)
			}
			c.again(from, a+b+d, a, soon) // fast
		case 3:
			c.send(from, false, a, b)
			c.ack(1 - from)
			c.again(from, a+b, a+b, late) // spurious
		case 4:
			c.send(from, false, a)
			c.again(from, a, a+b, late) // more than before
			c.next[from] += uint32(b)
		case 5:
			c.send(from, false, a)
			c.ack(1 - from)
			c.segment(from, c.next[from]-1, rnd.IntN(2), acked, late) // keep-alive
		default:
			c.send(from, false, a, b, d)
		}
		c.ack(1 - from)
	}
	switch rnd.IntN(3) {
	case 0:
		c.segment(rnd.IntN(2), c.next[client], 0, flow.TCPRst|flow.TCPAck, soon)
	case 1:
		c.segment(client, c.next[client], 0, flow.TCPFin|flow.TCPAck, soon)
		c.segment(client, c.next[client], 0, flow.TCPFin|flow.TCPAck, late)
	}
}

// writeTalk writes a capture, cut to a snap length but for 0.
func writeTalk(t *testing.T, snap int, f func(*tcpTalk)) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "talk.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcapfile.NewWriter(file, packet.LinkTypeEthernet, 65535)
	if err != nil {
		t.Fatal(err)
	}
	f(&tcpTalk{t: t, w: w, at: time.Unix(1_700_000_000, 0), snap: snap, port: 20_000})
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}
