// Package all registers every output of this repository.
package all

import (
	// Each registers itself.
	_ "github.com/pktstat/pktstat/outputs/csv"
	_ "github.com/pktstat/pktstat/outputs/html"
	_ "github.com/pktstat/pktstat/outputs/json"
	_ "github.com/pktstat/pktstat/outputs/ndjson"
	_ "github.com/pktstat/pktstat/outputs/plain"
	_ "github.com/pktstat/pktstat/outputs/table"
	_ "github.com/pktstat/pktstat/outputs/tui"
	_ "github.com/pktstat/pktstat/outputs/web"
)
