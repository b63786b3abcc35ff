// Google's fake of Pub/Sub in a process of its own: pstest [ADDRESS]. Prints where it listens, and serves until it is
// killed or its standard input ends.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"

	"cloud.google.com/go/pubsub/v2/pstest"
)

func main() {
	port := 0
	if len(os.Args) > 1 {
		_, text, err := net.SplitHostPort(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		if port, err = strconv.Atoi(text); err != nil {
			log.Fatal(err)
		}
	}
	server := pstest.NewServerWithPort(port)
	defer server.Close()
	fmt.Println(server.Addr)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatal(err)
	}
}
