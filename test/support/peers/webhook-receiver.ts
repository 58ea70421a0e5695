// A program that takes webhooks, on a port of this machine; it answers as the test says.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

export type TakenWebhook = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

export type WebhookReceiver = {
  readonly url: string;
  readonly port: number;
  /** In the order they came. */
  readonly taken: TakenWebhook[];
};

/** `answer`: for each webhook, with its number from 1. Closed when the test ends. */
export async function startWebhookReceiver(
  t: Pick<TestContext, 'after'>,
  answer: (response: ServerResponse, n: number) => void = (response) => response.writeHead(204).end(),
): Promise<WebhookReceiver> {
  const taken: TakenWebhook[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => null);
    if (body === null) return;
    taken.push({ path: request.url ?? '', headers: request.headers, body });
    answer(response, taken.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/mail`, port, taken };
}
