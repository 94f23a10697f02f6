import type { DescFile, DescService } from "@bufbuild/protobuf";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../../../gen/google/rpc/error_details_pb.js";
import type { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import type { ServerReflection as ServerReflectionAlpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { Descriptors } from "../descriptors.js";

/** What both versions ask. */
type Question =
  | { readonly case: "listServices"; readonly value: string }
  | { readonly case: "fileByFilename"; readonly value: string }
  | { readonly case: "fileContainingSymbol"; readonly value: string }
  | { readonly case: "fileContainingExtension"; readonly value: ExtensionName }
  | { readonly case: "allExtensionNumbersOfType"; readonly value: string }
  | { readonly case: undefined; readonly value?: undefined };

interface ExtensionName {
  readonly containingType: string;
  readonly extensionNumber: number;
}

/** What both versions answer. */
type Answer =
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

interface Request {
  readonly host: string;
  readonly messageRequest: Question;
}

export interface ReflectionServices {
  readonly v1: ServiceImpl<typeof ServerReflection>;
  /** The version that older clients ask for; it differs in the name alone. */
  readonly v1alpha: ServiceImpl<typeof ServerReflectionAlpha>;
}

/**
 * gRPC's server reflection of `services` and of the details of their errors. A question that has no answer gets an error
 * in its place (NOT_FOUND, or INVALID_ARGUMENT for one that asks nothing) and does not end the stream.
 */
export function reflectionServices(services: readonly DescService[]): ReflectionServices {
  let descriptors: Descriptors | undefined;
  async function* serverReflectionInfo<R extends Request>(requests: AsyncIterable<R>) {
    // Made when first asked for: most daemons never are. No service names the details that its errors have.
    descriptors ??= new Descriptors([...services.map(({ file }) => file), file_google_rpc_error_details]);
    const sent = new Set<DescFile>();
    for await (const request of requests) {
      yield {
        validHost: request.host,
        originalRequest: request,
        messageResponse: answerOf(request.messageRequest, services, descriptors, sent),
      };
    }
  }
  return { v1: { serverReflectionInfo }, v1alpha: { serverReflectionInfo } };
}

/** `sent` are the files that this stream has had; what is answered is added to them. */
function answerOf(
  question: Question,
  services: readonly DescService[],
  descriptors: Descriptors,
  sent: Set<DescFile>,
): Answer {
  const files = (file: DescFile | undefined, what: string): Answer => {
    if (file === undefined) return notFound(what);
    const fileDescriptorProto = withImports(file, sent).map((each) => descriptors.bytesOf(each));
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  };
  switch (question.case) {
    case "listServices": {
      const service = services.map(({ typeName }) => ({ name: typeName }));
      return { case: "listServicesResponse", value: { service } };
    }
    case "fileByFilename":
      return files(descriptors.fileNamed(question.value), `file ${quoted(question.value)}`);
    case "fileContainingSymbol":
      return files(descriptors.fileOf(question.value), `symbol ${quoted(question.value)}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const file = descriptors.fileOfExtension(containingType, extensionNumber);
      return files(file, `extension ${extensionNumber} of the message ${quoted(containingType)}`);
    }
    case "allExtensionNumbersOfType": {
      const numbers = descriptors.extensionNumbersOf(question.value);
      if (numbers === undefined) return notFound(`message ${quoted(question.value)}`);
      return {
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: question.value, extensionNumber: [...numbers] },
      };
    }
    default:
      return failure(
        Code.InvalidArgument,
        "the request asks nothing that is known here: expected list_services, file_by_filename, " +
          "file_containing_symbol, file_containing_extension or all_extension_numbers_of_type",
      );
  }
}

/**
 * The file, even if it was sent before, and what it imports, directly or not, and was not. Each comes before its own
 * imports, so that a client can take them in from the end.
 */
function withImports(file: DescFile, sent: Set<DescFile>): DescFile[] {
  const files: DescFile[] = [];
  const visit = (each: DescFile): void => {
    sent.add(each);
    for (const dependency of each.dependencies) if (!sent.has(dependency)) visit(dependency);
    files.push(each);
  };
  visit(file);
  return files.reverse();
}

function notFound(what: string): Answer {
  return failure(Code.NotFound, `there is no ${what} in this API`);
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

function quoted(name: string): string {
  return name.length > 100 ? `"${name.slice(0, 100)}…"` : `"${name}"`;
}
