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
	Overflow      map[string]string           `json:"overflow"`   // reasons in words
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
	Layer      string   `json:"layer,omitempty"` // whose bytes a measure counts
}

// Nouns are what a row of a report is called, and what several are.
type Nouns struct {
	One  string `json:"one"`
	Many string `json:"many"`
}

// NounsOf returns the words for the rows of r.
func NounsOf(r *flow.Report) Nouns {
	one, many := r.Dims.Nouns()
	return Nouns{one, many}
}

// factsData is the element that every page has the facts in. Labels register their
// fields before the first page is asked for.
var factsData = sync.OnceValue(func() string {
	f := facts{
		ICMPTypes:     map[string]map[uint8]string{flow.ICMP.String(): flow.ICMPTypes, flow.ICMPv6.String(): flow.ICMPv6Types},
		ARPOperations: flow.ARPOperations,
		EtherTypes:    map[string]string{}, Overflow: map[string]string{},
	}
	for _, d := range flow.Fields.All() {
		f.Fields = append(f.Fields, field{
			Name: d.Name, Aliases: d.Aliases, Title: d.Title, Help: d.Help, Role: d.Role.String(), Kind: d.Kind.String(),
			Number: d.Kind.IsNumber(), Descending: d.Descending(), Sparse: d.Sparse,
			Layer: d.Layer.String(),
		})
	}
	for reason := range flow.OverflowReason(flow.NumOverflowReasons) {
		f.Overflow[reason.String()] = reason.Words()
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
