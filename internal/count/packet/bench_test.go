package packet_test

import (
	"encoding/hex"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

func BenchmarkParse(b *testing.B) {
	const eth = "020000000002020000000001"
	for _, c := range []struct{ name, frame string }{
		{"UDP4", eth + "0800" + "4500002e000000004011" + "0000c0000201c0000202" + "303900350019" + "000000"},
		{"TCP4", eth + "0800" + "4500002e000000004006" + "0000c0000201c0000202" + "303900500000000100000002" + "50100000"},
		{"UDP6", eth + "86dd" + "60000000001911" + "40" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "303900350019000000"},
		{"VLAN", eth + "8100000a0800" + "4500002e000000004011" + "0000c0000201c0000202" + "303900350019" + "000000"},
		{"ICMP4", eth + "0800" + "4500002e000000004001" + "0000c0000201c0000202" + "0800000000010001"},
		{"ExtHeaders", eth + "86dd" + "6000000000240040" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "3c00010400000000" + "1100010400000000" + "303900350014000000"},
		{"ARP", eth + "0806" + "0001080006040001020000000001c0000201000000000000c0000202"},
	} {
		d, err := hex.DecodeString(c.frame)
		if err != nil {
			b.Fatal(err)
		}
		d = append(d, make([]byte, max(0, 60-len(d)))...)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var r flow.Record
			var f packet.Frame
			for b.Loop() {
				packet.LinkTypeEthernet.Frame(d, len(d), &f)
				packet.Parse(&f, &r)
			}
		})
	}
}
