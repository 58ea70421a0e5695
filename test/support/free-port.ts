// A port of 127.0.0.1 that is free just now, for programs that cannot choose one themselves.
import { createServer } from 'node:net';

/** Asks the system for one and lets go of it. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
