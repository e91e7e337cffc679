package webpage

import (
	"encoding/json"
	"sync"

	"github.com/pktstat/pktstat/flow"
)

// facts is what the script needs to know about fields and values. It contains only the layout
// itself.
type facts struct {
	Fields        []field                     `json:"fields"`
	ICMPTypes     map[string]map[uint8]string `json:"icmp_types"` // by protocol
	IGMPTypes     map[uint8]string            `json:"igmp_types"`
	OSPFTypes     map[uint8]string            `json:"ospf_types"`
	ARPOperations map[uint32]string           `json:"arp_operations"`
	EtherTypes    map[string]string           `json:"ethertypes"` // "0x88cc": "LLDP"
	Overflow      map[string]string           `json:"overflow"`   // reason: text
}

// field describes a [flow.Field] to the script.
type field struct {
	Name       string   `json:"name"`
	Aliases    []string `json:"aliases,omitempty"`
	Title      string   `json:"title"`
	Help       string   `json:"help"`
	Role       string   `json:"role"`
	Kind       string   `json:"kind"`
	Number     bool     `json:"number,omitempty"`
	Descending bool     `json:"descending,omitempty"` // sort the largest first
	Sparse     bool     `json:"sparse,omitempty"`
	InInfo     bool     `json:"in_info,omitempty"`
	Layer      string   `json:"layer,omitempty"` // the layer of a measure in bytes
	Object     string   `json:"object,omitempty"`
	Member     string   `json:"member,omitempty"`
}

// Nouns are the words for one row of a report and for several.
type Nouns struct {
	One  string `json:"one"`
	Many string `json:"many"`
	// What the two ends are called, if rows have two.
	Local  string `json:"local,omitempty"`
	Remote string `json:"remote,omitempty"`
}

// NounsOf returns the words for the rows of r.
func NounsOf(r *flow.Report) Nouns {
	var n Nouns
	n.One, n.Many = r.Dims.Nouns()
	if r.Dims.Paired() {
		n.Local, n.Remote = r.EndTitles()
	}
	return n
}

// factsData is the facts as an element of the page. Labels must register their fields before the
// first call.
var factsData = sync.OnceValue(func() string {
	f := facts{
		ICMPTypes:     map[string]map[uint8]string{flow.ICMP.String(): flow.ICMPTypes, flow.ICMPv6.String(): flow.ICMPv6Types},
		IGMPTypes:     flow.IGMPTypes,
		OSPFTypes:     flow.OSPFTypes,
		ARPOperations: flow.ARPOperations,
		EtherTypes:    map[string]string{}, Overflow: map[string]string{},
	}
	for _, d := range flow.Fields.All() {
		f.Fields = append(f.Fields, field{
			Name: d.Name, Aliases: d.Aliases, Title: d.Title, Help: d.Help, Role: d.Role.String(), Kind: d.Kind.String(),
			Number: d.Kind.IsNumber(), Descending: d.Descending(), Sparse: d.Sparse, InInfo: d.InInfo,
			Layer: d.Layer.String(), Object: d.Object, Member: d.Member,
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

// dataElement returns a block of JSON in a page, which browsers do not execute.
func dataElement(id, text string) string { return dataStart(id) + text + dataEnd }

func dataStart(id string) string { return `<script type="application/json" id="` + id + `">` }

const dataEnd = "</script>\n"
