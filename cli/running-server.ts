// Where the server of this folder is, as `npm start` wrote it down: .pillarbox/running.json, there while it runs.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { CliWorld } from './command.ts';

const runningSchema = z.object({ http: z.string() });

/** The URL of its ops API, or null where none was started here with the usual data folder. */
export async function runningServerUrl({ directory }: Pick<CliWorld, 'directory'>): Promise<string | null> {
  try {
    const text = await readFile(join(directory, '.pillarbox', 'running.json'), 'utf8');
    return runningSchema.safeParse(JSON.parse(text)).data?.http ?? null;
  } catch {
    return null; // None runs here, or it is just writing: the usual port is asked then.
  }
}
