import type { GenFile } from "@bufbuild/protobuf/codegenv2";
import { fileDesc } from "@bufbuild/protobuf/codegenv2";

/**
 * Takes the place of the descriptor of buf.validate in a bundle for browsers (`browser` in package.json): the name and
 * package of its file, without its messages. The rules of the API are checked by the daemon; a client never reads them,
 * and they would be two fifths of the bundle. A bundler that does not know the field makes a larger bundle.
 */
export const file_buf_validate_validate: GenFile = /*@__PURE__*/ fileDesc(
  "ChtidWYvdmFsaWRhdGUvdmFsaWRhdGUucHJvdG8SDGJ1Zi52YWxpZGF0ZQ",
);
