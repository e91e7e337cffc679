// Command pktstat counts network traffic by flow. See the package comment of
// cmd for its parts; a build with more plugins is a copy of this file.
package main

import (
	"os"

	"github.com/pktstat/pktstat/cmd"

	_ "github.com/pktstat/pktstat/backends/all"
	_ "github.com/pktstat/pktstat/labels/all"
	_ "github.com/pktstat/pktstat/outputs/all"
)

func main() { os.Exit(cmd.Main()) }
