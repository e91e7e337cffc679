package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// ours is pktstat's report of a capture.
type ours struct {
	rows       map[string]tally
	total      tally
	start, end time.Time
	refused    string // the error message, if there is no report
	incomplete bool   // the exit code was not 0: the capture is damaged
}

// tally is a sum over packets.
type tally struct{ packets, bytes, frame uint64 }

func (t *tally) add(o tally) {
	t.packets += o.packets
	t.bytes += o.bytes
	t.frame += o.frame
}

// row is the compared part of a row of pktstat.report/v1.
type row struct {
	Proto     string `json:"proto"`
	Src       string `json:"src"`
	SrcPort   uint16 `json:"src_port"`
	Dst       string `json:"dst"`
	DstPort   uint16 `json:"dst_port"`
	ICMPType  uint32 `json:"icmp_type"`
	ICMPCode  uint32 `json:"icmp_code"`
	SPI       uint32 `json:"spi"`
	GREProto  string `json:"gre_proto"`
	ARPOp     uint32 `json:"arp_op"`
	EtherType string `json:"ethertype"`
	VLAN      uint16 `json:"vlan"`
	sums
}

type sums struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	Frame   uint64 `json:"frame_bytes"`
}

func (s sums) tally() tally { return tally{s.Packets, s.Bytes, s.Frame} }

type report struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Total sums      `json:"total"`
	Flows []row     `json:"flows"`
}

// runOurs runs pktstat on a capture.
func runOurs(ctx context.Context, pktstat, name string) (ours, error) {
	cmd := exec.CommandContext(ctx, pktstat, "--pcap-file", name, "--output", "json", "--top", "0",
		"--max-flows", "1000000", "--service=false")
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return ours{}, fmt.Errorf("run %s: %w", pktstat, err)
	}
	if out.Len() == 0 {
		lines := strings.Split(strings.TrimSpace(msg.String()), "\n")
		return ours{refused: lines[len(lines)-1]}, nil
	}
	var rep report
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		return ours{}, fmt.Errorf("report of %s: %w", name, err)
	}
	res := ours{
		rows: map[string]tally{}, total: rep.Total.tally(), start: rep.Start, end: rep.End,
		incomplete: exit != nil,
	}
	for _, r := range rep.Flows {
		t := res.rows[r.id()]
		t.add(r.tally())
		res.rows[r.id()] = t
	}
	return res, nil
}

// id identifies the row by the fields that the independent reader has.
func (r row) id() string {
	sub := max(r.ICMPType<<8|r.ICMPCode, r.SPI, r.ARPOp)
	if r.GREProto != "" {
		_, _ = fmt.Sscanf(r.GREProto, "0x%x", &sub)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s:%d %s:%d sub=%#x %s vlan=%d", r.Proto, r.Src, r.SrcPort, r.Dst, r.DstPort, sub, r.EtherType, r.VLAN))
}
