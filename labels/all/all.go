// Package all registers every label of this repository.
package all

import (
	// Each registers itself.
	_ "github.com/pktstat/pktstat/labels/container"
	_ "github.com/pktstat/pktstat/labels/process"
	_ "github.com/pktstat/pktstat/labels/service"
	_ "github.com/pktstat/pktstat/labels/socket"
	_ "github.com/pktstat/pktstat/labels/user"
)
