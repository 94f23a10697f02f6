/** What ends together, the last first. */
export class Nodes implements AsyncDisposable {
  readonly #nodes: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(node: T): T {
    this.#nodes.push(node);
    return node;
  }

  /** What `build` makes, or its failure once all that it added has ended. */
  static async with<T>(build: (nodes: Nodes) => Promise<T>): Promise<T> {
    const nodes = new Nodes();
    try {
      return await build(nodes);
    } catch (error) {
      await nodes[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failed: unknown[] = [];
    for (const node of this.#nodes.splice(0).reverse()) {
      try {
        await node[Symbol.asyncDispose]();
      } catch (error) {
        failed.push(error);
      }
    }
    if (failed.length > 0) throw failed[0];
  }
}
