package testnet

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stats are an interface's own counters (rtnl_link_stats64). A super-frame counts as one packet.
// Bytes include the Ethernet header. With XDP or GRO on at the receiving end, both ends count bytes
// without that header (veth_xdp_rcv_skb in drivers/net/veth.c). The host receives and drops frames
// of unknown protocols.
type Stats struct {
	RxPackets, RxBytes, TxPackets, TxBytes uint64
	RxDropped, TxDropped                   uint64
}

// Minus returns the difference since o.
func (s Stats) Minus(o Stats) Stats {
	return Stats{
		s.RxPackets - o.RxPackets, s.RxBytes - o.RxBytes, s.TxPackets - o.TxPackets, s.TxBytes - o.TxBytes,
		s.RxDropped - o.RxDropped, s.TxDropped - o.TxDropped,
	}
}

// Stats reads the interface's counters.
func (i *Iface) Stats() Stats {
	i.tb.Helper()
	link, err := i.nl.LinkByIndex(i.Index)
	if err != nil {
		i.tb.Fatalf("testnet: counters of %s: %v", i, err)
	}
	s := link.Attrs().Statistics
	return Stats{s.RxPackets, s.RxBytes, s.TxPackets, s.TxBytes, s.RxDropped, s.TxDropped}
}

// Settle waits until nothing has crossed the interface for a tenth of a second, and returns the
// counters.
func (i *Iface) Settle() Stats {
	i.tb.Helper()
	const quiet, limit = 100 * time.Millisecond, 30 * time.Second
	deadline := time.Now().Add(limit)
	last, since := i.Stats(), time.Now()
	for time.Since(since) < quiet {
		if time.Now().After(deadline) {
			i.tb.Fatalf("testnet: %s is not quiet after %s", i, limit)
		}
		time.Sleep(5 * time.Millisecond)
		if s := i.Stats(); s != last {
			last, since = s, time.Now()
		}
	}
	return last
}

// Retransmits returns how many TCP segments the host has retransmitted (RetransSegs of RFC 4022).
// On a busy machine, that happens on a link without loss, too.
func (h *Host) Retransmits() uint64 {
	h.tb.Helper()
	return h.TCPCounter("RetransSegs")
}

// TCPCounter returns a TCP counter of the host, by its name in /proc/net/snmp ("RetransSegs") or
// /proc/net/netstat ("TCPOFOQueue").
func (h *Host) TCPCounter(name string) (n uint64) {
	h.tb.Helper()
	err := h.Do(func() error {
		for _, file := range []string{"snmp", "netstat"} {
			text, err := os.ReadFile("/proc/thread-self/net/" + file)
			if err != nil {
				return err
			}
			if value, ok := tcpCounter(string(text), name); ok {
				n, err = strconv.ParseUint(value, 10, 64)
				return err
			}
		}
		return fmt.Errorf("no %s in snmp and netstat", name)
	})
	if err != nil {
		h.tb.Fatalf("testnet: TCP counters of %s: %v", h.name, err)
	}
	return n
}

// tcpCounter finds a counter. A line "Tcp:" or "TcpExt:" has the names, the next line the values.
func tcpCounter(text, name string) (value string, ok bool) {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "Tcp:" && fields[0] != "TcpExt:" {
			continue
		}
		if len(names) == 0 || names[0] != fields[0] {
			names = fields
			continue
		}
		if i := slices.Index(names, name); i > 0 && i < len(fields) {
			return fields[i], true
		}
	}
	return "", false
}
