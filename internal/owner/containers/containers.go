// Package containers identifies a cgroup: the container, the Kubernetes pod or the systemd unit
// whose processes are in it. It reads the cgroup's path. For names, it reads the state files of the
// container runtimes. It talks to no daemon and uses no network.
package containers

import (
	"path"
	"regexp"
	"strings"
)

// Runtimes, as [Container.String] writes them before the colon.
const (
	Docker     = "docker"
	Containerd = "containerd"
	CRIO       = "cri-o"
	Podman     = "podman"
	Kubernetes = "kubernetes" // a container of a pod, whose path does not name the runtime
	Systemd    = "systemd"    // a unit, no container
)

// Container is what a cgroup belongs to. The zero value means neither a container nor a unit.
type Container struct {
	Runtime string
	ID      string // of a container: 64 hexadecimal digits
	PodUID  string // of Kubernetes, with dashes
	Unit    string // of systemd: "sshd.service"
	Name    string // "web", or "namespace/pod/container"; "" if unknown
}

// IsContainer reports whether c is a container, not a unit and not the zero value.
func (c *Container) IsContainer() bool { return c.ID != "" }

// String returns one of these forms:
//
//	docker:web                          the container has a name
//	containerd:shop/cart-7d9f/app       its pod has one
//	docker:0123456789ab                 the name is unknown
//	containerd:pod<uid>/0123456789ab    the same, in a pod
//	systemd:sshd.service                a unit
//
// It returns "" for the zero value.
func (c *Container) String() string {
	switch {
	case c.Unit != "":
		return Systemd + ":" + c.Unit
	case c.ID == "":
		return ""
	case c.Name != "":
		return c.Runtime + ":" + c.Name
	case c.PodUID != "":
		return c.Runtime + ":pod" + c.PodUID + "/" + c.ID[:12]
	}
	return c.Runtime + ":" + c.ID[:12]
}

// elements match the last element of a container's path: a scope of the systemd cgroup driver, or a
// directory of the cgroupfs driver.
var elements = []struct {
	runtime string
	is      *regexp.Regexp
}{
	{Docker, regexp.MustCompile(`^docker-([0-9a-f]{64})\.scope$`)},
	{Containerd, regexp.MustCompile(`^(?:cri-containerd|containerd|nerdctl)-([0-9a-f]{64})(?:\.scope)?$`)},
	{CRIO, regexp.MustCompile(`^crio-([0-9a-f]{64})(?:\.scope)?$`)},
	{Podman, regexp.MustCompile(`^libpod-([0-9a-f]{64})(?:\.scope)?$`)},
}

var (
	bareID = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// The cgroupfs driver writes "pod<uid>". The systemd driver writes
	// "kubepods-burstable-pod<uid>.slice", with underscores in place of dashes. A static pod's uid
	// has no dashes.
	podElement = regexp.MustCompile(`^(?:kubepods(?:-besteffort|-burstable)?-)?pod([0-9a-f]{8}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{12})(?:\.slice)?$`)
	unit       = regexp.MustCompile(`^[^/]+\.(?:service|scope)$`)
)

// Parse reads the path of a cgroup below the root of its hierarchy. If containers are nested, it
// returns the innermost one, also for cgroups below it.
func Parse(cgroup string) Container {
	all := strings.Split(strings.Trim(path.Clean("/"+cgroup), "/"), "/")
	for i := len(all) - 1; i >= 0; i-- {
		c := Container{}
		for _, e := range elements {
			if m := e.is.FindStringSubmatch(all[i]); m != nil {
				c.Runtime, c.ID = e.runtime, m[1]
			}
		}
		parent := ""
		if i > 0 {
			parent = all[i-1]
		}
		pod := podElement.FindStringSubmatch(parent)
		if c.ID == "" && bareID.MatchString(all[i]) {
			c.Runtime, c.ID = runtimeOf(parent, pod != nil), all[i]
		}
		if c.ID == "" || c.Runtime == "" {
			continue
		}
		if pod != nil {
			c.PodUID = dashed(pod[1])
		}
		return c
	}
	for i := len(all) - 1; i >= 0; i-- {
		if unit.MatchString(all[i]) {
			return Container{Runtime: Systemd, Unit: all[i]}
		}
	}
	return Container{}
}

// runtimeOf returns the runtime of a container whose directory is named by its id. It knows the
// runtime by the parent directory, and returns "" for an unknown one.
func runtimeOf(parent string, pod bool) string {
	switch {
	case pod:
		return Kubernetes
	case parent == "docker":
		return Docker
	case parent == "libpod_parent":
		return Podman
	case parent == "default" || parent == "k8s.io": // namespaces of containerd
		return Containerd
	}
	return ""
}

// dashed returns a pod's uid as Kubernetes writes it.
func dashed(uid string) string { return strings.ReplaceAll(uid, "_", "-") }
