// Requests to the ops API of a running server.

/** `json` answers the status too, if it is one of `expected`; `bytes` a whole body. Both reject with what the server said. */
export type AskServer = {
  readonly json: (
    path: string,
    how?: { readonly method?: 'GET' | 'DELETE'; readonly expected?: readonly number[] },
  ) => Promise<{ readonly status: number; readonly json: unknown }>;
  readonly bytes: (path: string) => Promise<Uint8Array>;
};

/** Asks the server at this URL. `token`: what it needs if it is not on loopback. */
export function askServer(url: string, token: string | undefined): AskServer {
  const base = url.replace(/\/+$/, '');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const ask = async (path: string, method: 'GET' | 'DELETE', expected: readonly number[]): Promise<Response> => {
    const response = await fetch(`${base}${path}`, { method, headers }).catch((cause: unknown) => {
      throw new Error(`Pillarbox does not answer at ${base}: is it running?`, { cause });
    });
    if (expected.includes(response.status)) return response;
    throw new Error(`Pillarbox answered ${response.status} to ${method} ${path}: ${await response.text()}`);
  };
  return {
    json: async (path, { method = 'GET', expected = [200] } = {}) => {
      const response = await ask(path, method, expected);
      return { status: response.status, json: await response.json() };
    },
    bytes: async (path) => new Uint8Array(await (await ask(path, 'GET', [200])).arrayBuffer()),
  };
}
