// Command gen writes testdata/mix.pcap.
package main

import (
	"fmt"
	"os"

	"github.com/pktstat/pktstat/internal/test/trafficgen"
)

func run(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := trafficgen.WriteSample(f); err != nil {
		_ = f.Close() // return the first error
		return err
	}
	return f.Close()
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
