// Command pktstat counts network traffic by flow. The package comment of cmd explains its parts. A
// build with more plugins is a copy of this file.
package main

import (
	"os"

	"github.com/pktstat/pktstat/cmd"

	_ "github.com/pktstat/pktstat/backends/all"
	_ "github.com/pktstat/pktstat/labels/all"
	_ "github.com/pktstat/pktstat/outputs/all"
)

func main() { os.Exit(cmd.Main()) }
