package containers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var id = strings.Repeat("0123456789abcdef", 4)

// TestParse covers the paths that both cgroup drivers of the runtimes make.
func TestParse(t *testing.T) {
	const uid = "01234567-89ab-cdef-0123-456789abcdef"
	for path, want := range map[string]string{
		"/": "", "/user.slice": "",
		"/system.slice/sshd.service":               "systemd:sshd.service",
		"/system.slice/docker-" + id + ".scope":    "docker:0123456789ab",
		"/docker/" + id:                            "docker:0123456789ab",
		"/docker/" + id + "/init.scope":            "docker:0123456789ab",
		"/machine.slice/libpod-" + id + ".scope":   "podman:0123456789ab",
		"/libpod_parent/libpod-" + id:              "podman:0123456789ab",
		"/kubepods/burstable/pod" + uid + "/" + id: "kubernetes:pod" + uid + "/0123456789ab",
		"/other/" + id:                             "",
		"/kubepods.slice/kubepods-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice/cri-containerd-" + id + ".scope": "containerd:pod" + uid + "/0123456789ab",
	} {
		if c := Parse(path); c.String() != want {
			t.Errorf("%s: %q, want %q", path, c.String(), want)
		}
	}
}

// TestNames: the state files of the runtimes name a container.
func TestNames(t *testing.T) {
	for _, c := range []struct{ runtime, file, state, want string }{
		{Docker, "var/lib/docker/containers/" + id + "/config.v2.json", `{"Name":"/web"}`, "docker:web"},
		{Podman, "var/lib/containers/storage/overlay-containers/containers.json", `[{"id":"` + id + `","names":["db"]}]`, "podman:db"},
		{Kubernetes, "var/lib/containers/storage/overlay-containers/containers.json", `[{"id":"` + id + `","names":["k8s_app_cart_shop_uid_0"]}]`, "cri-o:shop/cart/app"},
		{Containerd, "run/containerd/io.containerd.runtime.v2.task/default/" + id + "/config.json", `{"annotations":{"nerdctl/name":"one"}}`, "containerd:one"},
		{Docker, "var/lib/docker/containers/" + id + "/config.v2.json", `{"Name":`, "docker:0123456789ab"},
	} {
		root := t.TempDir()
		file := filepath.Join(root, c.file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(c.state), 0o600); err != nil {
			t.Fatal(err)
		}
		got := Container{Runtime: c.runtime, ID: id}
		names{root}.find(&got)
		if got.String() != c.want {
			t.Errorf("%s of %s: %q, want %q", c.file, c.runtime, got.String(), c.want)
		}
	}
}
