package example;

import com.google.protobuf.ByteString;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import portway.v1.MessageServiceGrpc;
import portway.v1.PayloadEncoding;
import portway.v1.SendMessageRequest;

/** A message to a service along any route, and its answer. */
public final class Send {
    private static final int LIMIT_SECONDS = 30;

    private Send() {}

    public static void main(String[] arguments) {
        if (arguments.length != 3) {
            System.err.println("usage: Send NODE ROUTE TEXT (Send n1 /service/uppercase hello)");
            System.exit(2);
        }
        try {
            var channel = Api.connect();
            var reply = MessageServiceGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(LIMIT_SECONDS, TimeUnit.SECONDS)
                    .sendMessage(SendMessageRequest.newBuilder()
                            .setNode("nodes/" + arguments[0])
                            .setTo(arguments[1])
                            .setPayload(ByteString.copyFromUtf8(arguments[2]))
                            .setEncoding(PayloadEncoding.PAYLOAD_ENCODING_BARE)
                            .build());
            channel.shutdownNow();
            System.out.println(reply.getPayload().toStringUtf8());
        } catch (StatusRuntimeException failed) {
            System.err.println(Api.explain(failed));
            System.exit(1);
        } catch (IOException failed) {
            System.err.println(failed);
            System.exit(1);
        }
    }
}
