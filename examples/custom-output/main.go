// Command pktstat-influx is pktstat with one more output. It is a copy of cmd/pktstat/main.go with
// one more import.
package main

import (
	"os"

	"github.com/pktstat/pktstat/cmd"

	_ "github.com/pktstat/pktstat/backends/all"
	_ "github.com/pktstat/pktstat/labels/all"
	_ "github.com/pktstat/pktstat/outputs/all"

	_ "example.org/pktstat-influx/influx"
)

func main() { os.Exit(cmd.Main()) }
