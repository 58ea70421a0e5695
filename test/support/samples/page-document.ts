// As much of a browser's document as the ops page builds itself with: elements, text, attributes, a fetch that answers from
// a table. What a real browser makes of it is in page-browser.test.ts; this needs none.

class FakeElement {
  readonly name: string;
  readonly attributes = new Map<string, string>();
  readonly listeners = new Map<string, (event: unknown) => unknown>();
  children: (FakeElement | string)[] = [];
  value = '';

  constructor(name: string) {
    this.name = name;
  }
  setAttribute(name: string, value: unknown): void {
    this.attributes.set(name, String(value));
  }
  addEventListener(name: string, listener: (event: unknown) => unknown): void {
    this.listeners.set(name, listener);
  }
  append(...children: unknown[]): void {
    this.children.push(...children.map((child) => (child instanceof FakeElement ? child : String(child))));
  }
}

/** The text that people would read, elements in order, each table row on a line of its own. */
export function textOf(nodes: readonly unknown[]): string {
  const read = (node: unknown): string => {
    if (!(node instanceof FakeElement)) return String(node);
    const inner = node.children.map(read).join(['tr', 'dl', 'ul', 'p'].includes(node.name) ? ' ' : '');
    return ['tr', 'h2', 'h3', 'p', 'li'].includes(node.name) ? `${inner}\n` : inner;
  };
  return nodes.map(read).join('');
}

/** All elements of that name, with their attributes. */
export function elementsOf(nodes: readonly unknown[], name: string): readonly FakeElement[] {
  return nodes.flatMap((node) => {
    if (!(node instanceof FakeElement)) return [];
    return [...(node.name === name ? [node] : []), ...elementsOf(node.children, name)];
  });
}

/** Puts `document` and `fetch` in place; `answers` by path (with its query), a path that is missing is a 404. */
export function installDocument(answers: Readonly<Record<string, unknown>>): readonly string[] {
  const asked: string[] = [];
  const fields = new Map(['mailbox', 'q', 'main', 'status', 'search'].map((id) => [id, new FakeElement(id)]));
  Object.assign(globalThis, {
    document: {
      createElement: (name: string) => new FakeElement(name),
      createTextNode: (text: string) => text,
      createElementNS: (_namespace: string, name: string) => new FakeElement(name),
      getElementById: (id: string) => fields.get(id),
    },
    fetch: async (path: string, { method = 'GET' }: { method?: string } = {}) => {
      asked.push(`${method} ${path}`);
      const body = answers[path];
      return { ok: body !== undefined, json: async () => body ?? { error: { message: `no ${path}` } } };
    },
  });
  return asked;
}
