// Package api connects to a Portway daemon's API and says in words what it answers.
package api

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// A message of another node has up to 16 MiB; gRPC takes 4 MiB unless told.
const maxReceivedBytes = 32 * 1024 * 1024

// Connect makes a connection to PORTWAY_ADDRESS on which every call carries the daemon's token.
func Connect() (*grpc.ClientConn, error) {
	address := os.Getenv("PORTWAY_ADDRESS")
	if address == "" {
		address = "127.0.0.1:4600"
	}
	token, err := readToken()
	if err != nil {
		return nil, err
	}
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer(token)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceivedBytes)))
}

func readToken() (string, error) {
	if token := os.Getenv("PORTWAY_TOKEN"); token != "" {
		return token, nil
	}
	home := os.Getenv("PORTWAY_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		home = filepath.Join(user, ".portway")
	}
	token, err := os.ReadFile(filepath.Join(home, "token"))
	return strings.TrimSpace(string(token)), err
}

type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

// RequireTransportSecurity is false because a daemon serves its API without TLS on loopback alone.
func (bearer) RequireTransportSecurity() bool { return false }

// Explain gives the code, the stable reason (an ErrorInfo) and the message of a failed call.
func Explain(err error) string {
	failed, isStatus := status.FromError(err)
	if !isStatus {
		return err.Error()
	}
	reason := ""
	for _, detail := range failed.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			reason = " (" + info.Reason + ")"
		}
	}
	return fmt.Sprintf("%s%s: %s", failed.Code(), reason, failed.Message())
}
