//go:build headers

// Package headers keeps a module in go.mod for a C header in it: Go's archives of modules leave out folders called
// vendor, and llama.cpp's headers of others lie in one.
package headers

import _ "github.com/gen2brain/malgo"
