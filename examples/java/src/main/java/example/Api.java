package example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** A connection to a Portway daemon's API, and its errors in words. */
final class Api {
    private static final long UNARY_SECONDS = 30;
    /** A message of another node has up to 16 MiB; gRPC takes 4 MiB unless told. */
    private static final int MAX_RECEIVED_BYTES = 32 * 1024 * 1024;
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    private Api() {}

    /** A channel to PORTWAY_ADDRESS on which every call carries the daemon's token, and every unary call a deadline. */
    static ManagedChannel connect() throws IOException {
        var headers = new Metadata();
        headers.put(AUTHORIZATION, "Bearer " + token());
        var address = environment("PORTWAY_ADDRESS").orElse("127.0.0.1:4600");
        return Grpc.newChannelBuilder(address, InsecureChannelCredentials.create())
                .intercept(MetadataUtils.newAttachHeadersInterceptor(headers), new Deadline())
                .maxInboundMessageSize(MAX_RECEIVED_BYTES)
                .build();
    }

    private static String token() throws IOException {
        var given = environment("PORTWAY_TOKEN");
        if (given.isPresent()) return given.get();
        var home = environment("PORTWAY_HOME").map(Path::of)
                .orElse(Path.of(System.getProperty("user.home"), ".portway"));
        return Files.readString(home.resolve("token")).strip();
    }

    private static Optional<String> environment(String name) {
        return Optional.ofNullable(System.getenv(name));
    }

    /** The code, the stable reason (an ErrorInfo) and the message of a failed call. */
    static String explain(StatusRuntimeException failed) {
        var reason = "";
        for (Any detail : StatusProto.fromThrowable(failed).getDetailsList()) {
            if (!detail.is(ErrorInfo.class)) continue;
            try {
                reason = " (" + detail.unpack(ErrorInfo.class).getReason() + ")";
            } catch (InvalidProtocolBufferException broken) {
                reason = " (an ErrorInfo that can't be read)";
            }
        }
        var status = failed.getStatus();
        var cause = status.getCause() == null ? "" : " (" + status.getCause().getMessage() + ")";
        return status.getCode() + reason + ": " + status.getDescription() + cause;
    }

    private static final class Deadline implements ClientInterceptor {
        @Override
        public <Q, A> ClientCall<Q, A> interceptCall(
                MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
            var isUnary = method.getType() == MethodDescriptor.MethodType.UNARY;
            return next.newCall(
                    method, isUnary ? options.withDeadlineAfter(UNARY_SECONDS, TimeUnit.SECONDS) : options);
        }
    }
}
