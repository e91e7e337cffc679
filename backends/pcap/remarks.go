package pcap

import (
	"fmt"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// remarks are the notes on a capture in the report.
type remarks struct {
	unread    uint64 // packets of link types that pktstat cannot read
	types     []unreadType
	wild      uint64 // packets with a time that is out of range
	firstWild uint64 // number of the first of them
}

// unreadType is a link type that pktstat cannot read, and the first interface that has it.
type unreadType struct {
	link  packet.LinkType
	iface string
}

func (t *unreadType) String() string { return fmt.Sprintf("%s%s %v", t.iface, t.link, errLinkType) }

// maxUnread bounds the notes about link types.
const maxUnread = 8

// unreadable remembers a packet of such a link type.
func (m *remarks) unreadable(p *captured, interfaces func() []flow.Interface) {
	m.unread++
	for i := range m.types {
		if m.types[i].link == p.link {
			return
		}
	}
	if len(m.types) == maxUnread {
		return
	}
	t := unreadType{link: p.link}
	for _, i := range interfaces() {
		if i.Index == p.ifindex {
			t.iface = "interface " + i.Name + ": "
		}
	}
	m.types = append(m.types, t)
}

// wildTime remembers a packet by its number.
func (m *remarks) wildTime(n uint64) {
	if m.wild++; m.wild == 1 {
		m.firstWild = n
	}
}

// nothingRead returns an error if pktstat can read the link type of none of the packets.
func (m *remarks) nothingRead(packets uint64) error {
	if packets == 0 || m.unread < packets {
		return nil
	}
	return fmt.Errorf("%s%s %w", m.types[0].iface, m.types[0].link, errLinkType)
}

func (m *remarks) notes() []string {
	var notes []string
	for i := range m.types {
		notes = append(notes, fmt.Sprintf("%v: its packets count by their length, as ETH %v", &m.types[i], flow.EtherTypeRunt))
	}
	if m.wild > 0 {
		notes = append(notes, fmt.Sprintf("packet %d: its time is not between 1896 and 2116: it counts with the time of the packet before, as do all such packets (%d)",
			m.firstWild, m.wild))
	}
	return notes
}
