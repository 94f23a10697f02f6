/** Who calls. A Unix socket knows its callers by the file mode alone. */
export interface Principal {
  readonly kind: "unix" | "token" | "certificate";
  /** "local", "token", or the subject of the certificate. */
  readonly name: string;
}

/**
 * Decides whether `principal` may call `method` (its full name, `portway.v1.NodeService/CreateNode`) on `resource`
 * (the name or parent in the request, such as `nodes/n1`; empty if it has none). Asked once for each call, before the
 * request is validated. Nothing else in the API decides this.
 */
export type Authorizer = (
  principal: Principal,
  method: string,
  resource: string,
) => Decision | Promise<Decision>;

export type Decision = "allow" | "deny";

/** Whoever was authenticated may do everything. */
export const allowAuthenticated: Authorizer = () => "allow";
