package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// dissected is a packet as tshark reads it.
type dissected struct {
	length   int    // frame.len
	src, dst string // of the outermost IP packet, if any
	layers   string // frame.protocols
}

// runTshark reads a capture with tshark. Its error concerns only tshark; packets before the error
// are valid.
func runTshark(ctx context.Context, tshark, name string) ([]dissected, error) {
	cmd := exec.CommandContext(ctx, tshark, "-n", "-r", name, "-T", "fields", "-E", "occurrence=f",
		"-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
		"-e", "frame.len", "-e", "ip.src", "-e", "ip.dst", "-e", "ipv6.src", "-e", "ipv6.dst", "-e", "frame.protocols")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", tshark, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", tshark, err)
	}
	pkts, err := parseTshark(pipe)
	return pkts, errors.Join(err, cmd.Wait())
}

func parseTshark(r io.Reader) ([]dissected, error) {
	var pkts []dissected
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 6 {
			return pkts, fmt.Errorf("tshark wrote %q: %d fields, not 6", lines.Text(), len(f))
		}
		n, err := strconv.Atoi(f[0])
		if err != nil {
			return pkts, fmt.Errorf("length of tshark: %w", err)
		}
		d := dissected{length: n, layers: f[5]}
		// The first of the two protocols is the outer one.
		for layer := range strings.SplitSeq(f[5], ":") {
			if layer == "ip" {
				d.src, d.dst = f[1], f[2]
				break
			}
			if layer == "ipv6" {
				d.src, d.dst = f[3], f[4]
				break
			}
		}
		pkts = append(pkts, d)
	}
	return pkts, lines.Err()
}
