// What a server on this machine says of itself while it runs: `running.json` in its data folder. The command line finds it by that, and
// another server that wants the same folder says who has it.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const runningSchema = z.object({
  pid: z.number(),
  mode: z.enum(['serve', 'capture']).optional(),
  listeners: z.array(
    z.object({ role: z.enum(['mx', 'submission', 'submissions']), host: z.string(), port: z.number() }),
  ),
  http: z.string(),
});

/** Its process, its SMTP ports as they are open (never 0), and the URL of its page and API. */
export type RunningServer = z.output<typeof runningSchema>;

/** The data folder of a server that was told no other, below the folder it was started in. */
export const usualDataFolder = '.pillarbox';

const file = (dataFolder: string): string => join(dataFolder, 'running.json');

/** Writes it, readable by its owner alone. */
export async function announceServer(dataFolder: string, server: RunningServer): Promise<void> {
  await writeFile(file(dataFolder), `${JSON.stringify(server, null, 2)}\n`, { mode: 0o600 });
}

/** For a server that ends in order. */
export async function withdrawServer(dataFolder: string): Promise<void> {
  await rm(file(dataFolder), { force: true });
}

/** The server that runs, or ended without a word, on this data folder; null if there is none, or none that this version knows. */
export async function findServer(dataFolder: string): Promise<RunningServer | null> {
  const text = await readFile(file(dataFolder), 'utf8').catch(() => 'null');
  try {
    return runningSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null; // it is being written
  }
}

/** Where mail is given to it in clear: its port for incoming mail, else that of submission; null if it has neither. */
export function smtpOf({
  listeners,
}: Pick<RunningServer, 'listeners'>): { readonly host: string; readonly port: number } | null {
  const door = listeners.find(({ role }) => role === 'mx') ?? listeners.find(({ role }) => role === 'submission');
  return door === undefined ? null : { host: reachable(door.host), port: door.port };
}

/** Whoever listens on all addresses is reached by this machine at its loopback address. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
