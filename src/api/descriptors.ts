import {
  createRegistry,
  type DescExtension,
  type DescFile,
  type DescMessage,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Some files of the API with all that they import, by what is defined in them. */
export class Descriptors {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #extendees = new Map<string, Map<number, DescFile>>();
  readonly #bytes = new Map<DescFile, Uint8Array>();

  constructor(files: readonly DescFile[]) {
    for (const file of files) this.#addFile(file);
  }

  /** `name` is a path as in an import: `portway/v1/node_service.proto`. */
  fileNamed(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** `symbol` is the full name of a message, field, oneof, enum, enum value, extension, service or method. */
  fileOf(symbol: string): DescFile | undefined {
    return this.#symbols.get(symbol);
  }

  fileOfExtension(extendee: string, fieldNumber: number): DescFile | undefined {
    return this.#extendees.get(extendee)?.get(fieldNumber);
  }

  /** Numbers of the extensions of a message, ascending; undefined if no such message is known. */
  extensionNumbersOf(extendee: string): readonly number[] | undefined {
    const numbers = this.#extendees.get(extendee);
    return numbers === undefined ? undefined : [...numbers.keys()].sort((a, b) => a - b);
  }

  /** A `google.protobuf.FileDescriptorProto`. Comments are not in it. */
  bytesOf(file: DescFile): Uint8Array {
    let bytes = this.#bytes.get(file);
    if (bytes === undefined) {
      bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      this.#bytes.set(file, bytes);
    }
    return bytes;
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.#addFile(dependency);
    for (const type of createRegistry(file)) {
      this.#symbols.set(type.typeName, file);
      switch (type.kind) {
        case "message":
          this.#addMessage(type, file);
          break;
        case "enum":
          for (const { name } of type.values) this.#symbols.set(scoped(type.parent, file, name), file);
          break;
        case "extension":
          this.#addExtension(type, file);
          break;
        case "service":
          for (const { name } of type.methods) this.#symbols.set(`${type.typeName}.${name}`, file);
          break;
      }
    }
  }

  #addMessage(message: DescMessage, file: DescFile): void {
    for (const { name } of [...message.fields, ...message.oneofs]) {
      this.#symbols.set(`${message.typeName}.${name}`, file);
    }
    this.#numbersOf(message.typeName);
  }

  #addExtension({ extendee, number }: DescExtension, file: DescFile): void {
    this.#numbersOf(extendee.typeName).set(number, file);
  }

  #numbersOf(extendee: string): Map<number, DescFile> {
    let numbers = this.#extendees.get(extendee);
    if (numbers === undefined) {
      numbers = new Map();
      this.#extendees.set(extendee, numbers);
    }
    return numbers;
  }
}

/** The values of an enum are named beside it, not in it. */
function scoped(parent: DescMessage | undefined, { proto }: DescFile, name: string): string {
  const scope = parent?.typeName ?? proto.package;
  return scope === "" ? name : `${scope}.${name}`;
}
