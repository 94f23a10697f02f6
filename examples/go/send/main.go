// A message to a service along any route, and its answer.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"portway.example/api"
	pb "portway.example/gen/portway/v1"
)

const limit = 30 * time.Second

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: send NODE ROUTE TEXT (send n1 /service/uppercase hello)")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answer, err := send(ctx, os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, api.Explain(err))
		os.Exit(1)
	}
	fmt.Println(answer)
}

func send(ctx context.Context, node, route, text string) (string, error) {
	connection, err := api.Connect()
	if err != nil {
		return "", err
	}
	defer connection.Close()
	reply, err := pb.NewMessageServiceClient(connection).SendMessage(ctx, &pb.SendMessageRequest{
		Node:     "nodes/" + node,
		To:       route,
		Payload:  []byte(text),
		Encoding: pb.PayloadEncoding_PAYLOAD_ENCODING_BARE,
	})
	return string(reply.GetPayload()), err
}
