package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the release build: -ldflags "-X github.com/pktstat/pktstat/cmd.version=v1.2.3".
var version string

// versionOf is the version of this build, or "devel" if nothing tells.
func versionOf() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func versionText() string {
	return fmt.Sprintf("%s %s (%s%s %s/%s)\n", program, versionOf(), commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// commit is the source's revision, with a separator after it, if it is known.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	rev := settings["vcs.revision"]
	if rev == "" {
		return ""
	}
	rev = rev[:min(len(rev), 12)]
	if settings["vcs.modified"] == "true" {
		rev += "+changes"
	}
	return "commit " + rev + ", "
}
