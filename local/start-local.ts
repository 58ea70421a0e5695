// Puts a service on one machine together: secrets, world, listener and ops API over one data folder. What differs between the
// program (main.ts) and a test's own server is given to it: configuration, DNS, log.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createChaos } from '#container/chaos/chaos.ts';
import { keepHookLines } from '#local/hooks/hook-lines.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { ChaosSettings } from '#pipeline/chaos/settings.ts';
import type { ReportingConfigSource } from '#pipeline/config/config-source.ts';
import { createSecrets, secretFiles } from '#pipeline/config/secrets.ts';
import type { Log, Resolve } from '#pipeline/contract/ports.ts';
import type { MetricsRegistry } from '#pipeline/observe/metrics.ts';
import { certificateSource } from './certificate.ts';
import type { StartEmbeddedDeps } from './start-embedded.ts';
import { type Service, type ServiceDeps, startService } from './start-service.ts';
import type { LocalWorld } from './world.ts';

/** What a world is started with. */
export type WorldDeps = StartEmbeddedDeps & {
  readonly filesFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** `problem`: why the DNS does not answer, or null; `close` ends what it has open. */
type Dns = {
  readonly resolve: Resolve;
  readonly reverseName: (ip: string) => Promise<string | null>;
  readonly problem?: (sinceMs?: number) => Promise<string | null>;
  readonly close: () => void;
};

/** `dataFolder` is there. `filesFolder`: what paths in the configuration start from. */
export type StartLocalDeps = Pick<ServiceDeps, 'listeners' | 'anyLogin' | 'http' | 'keep' | 'replaceHash'> & {
  readonly config: ReportingConfigSource;
  /** In place of the configuration's; null: as it says. */
  readonly chaos: ChaosSettings | 'off' | null;
  readonly dataFolder: string;
  readonly filesFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly dns: Dns;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly startWorld: (deps: WorldDeps) => Promise<LocalWorld>;
};

/** `lost` resolves if the world broke down. `close`: what is under way has so many seconds. */
export type RunningService = {
  readonly service: Service;
  readonly lost: LocalWorld['lost'];
  readonly close: (graceSeconds: number) => Promise<void>;
};

const secretBytes = 32;

/** Starts everything; rejects, and leaves nothing running, where a port is taken or the folder cannot be used. */
export async function startLocal(deps: StartLocalDeps): Promise<RunningService> {
  const { config, dataFolder, filesFolder, environment, dns, metrics } = deps;
  const clock = Date.now;
  const { log, of: hookLines } = keepHookLines(deps.log, clock);
  await ownSecret(dataFolder, 'srs');
  const secrets = createSecrets({
    named: secretFiles(join(dataFolder, 'secrets')),
    directory: filesFolder,
    environment,
    clock,
  });
  const shared = { config, secrets, clock, log, metrics, newMessageId: messageIdFactory() };
  const world = await deps.startWorld({
    ...shared,
    folder: dataFolder,
    filesFolder,
    environment,
    resolve: dns.resolve,
    ...(dns.problem === undefined ? {} : { dnsProblem: dns.problem }),
    random: Math.random,
  });
  const { listeners, anyLogin, http, keep, replaceHash } = deps;
  const chaos = createChaos({ ...shared, random: Math.random });
  if (deps.chaos !== null) chaos.set(deps.chaos === 'off' ? null : deps.chaos);
  const service = await startService({
    ...shared,
    world,
    chaos,
    hookLines,
    certificate: certificateSource({ config, secrets, folder: dataFolder, clock }),
    ...(replaceHash === undefined ? {} : { replaceHash }),
    reverseName: dns.reverseName,
    listeners,
    anyLogin,
    http,
    keep,
  }).catch(async (error: unknown) => {
    await world.close(0);
    throw error;
  });
  return {
    service,
    lost: world.lost,
    close: async (graceSeconds) => {
      await service.close(graceSeconds);
      await world.close(graceSeconds);
      dns.close();
    },
  };
}

/** A secret of our own, made at the first start: the text of DIR/secrets/NAME. Rejects where the folder cannot be written. */
export async function ownSecret(dataFolder: string, name: string): Promise<string> {
  const folder = join(dataFolder, 'secrets');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  try {
    await writeFile(path, randomBytes(secretBytes).toString('hex'), { flag: 'wx', mode: 0o600, flush: true });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return (await readFile(path, 'utf8')).trim();
}
