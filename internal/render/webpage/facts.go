package webpage

import (
	"encoding/json"
	"sync"

	"github.com/pktstat/pktstat/flow"
)

// facts are what the script knows of rows: it has only the layout itself.
type facts struct {
	Fields        []field                     `json:"fields"`
	ICMPTypes     map[string]map[uint8]string `json:"icmp_types"` // by protocol
	ARPOperations map[uint32]string           `json:"arp_operations"`
	EtherTypes    map[string]string           `json:"ethertypes"` // "0x88cc": "LLDP"
}

// field is what the script knows of a [flow.Field].
type field struct {
	Name       string   `json:"name"`
	Aliases    []string `json:"aliases,omitempty"`
	Title      string   `json:"title"`
	Help       string   `json:"help"`
	Role       string   `json:"role"`
	Kind       string   `json:"kind"`
	Number     bool     `json:"number,omitempty"`
	Descending bool     `json:"descending,omitempty"` // rows sorted by it begin with the largest
	Sparse     bool     `json:"sparse,omitempty"`
}

// factsData is the element that every page has the facts in. Labels register their
// fields before the first page is asked for.
var factsData = sync.OnceValue(func() string {
	f := facts{
		ICMPTypes:     map[string]map[uint8]string{flow.ICMP.String(): flow.ICMPTypes, flow.ICMPv6.String(): flow.ICMPv6Types},
		ARPOperations: flow.ARPOperations,
		EtherTypes:    map[string]string{},
	}
	for _, d := range flow.Fields.All() {
		f.Fields = append(f.Fields, field{
			Name: d.Name, Aliases: d.Aliases, Title: d.Title, Help: d.Help, Role: d.Role.String(), Kind: d.Kind.String(),
			Number: d.Kind.IsNumber(), Descending: d.Descending(), Sparse: d.Sparse,
		})
	}
	for t, name := range flow.EtherTypes {
		f.EtherTypes[t.String()] = name
	}
	text, err := json.Marshal(f) // escapes <, > and &
	if err != nil {
		panic(err) // text and small numbers always marshal
	}
	return dataElement("data-facts", string(text))
})

// dataElement is a block of JSON in a page, which no browser runs.
func dataElement(id, text string) string { return dataStart(id) + text + dataEnd }

func dataStart(id string) string { return `<script type="application/json" id="` + id + `">` }

const dataEnd = "</script>\n"
