// `npm start`: the whole service on one machine. The composition root: reads arguments and environment, builds the
// adapters, starts world, listener and ops API, and ends them in order.
import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { leaveCrashMark } from '#local/embedded/folder-marks.ts';
import { type Arguments, parseArguments, usage } from '#local/terminal/arguments.ts';
import { banner } from '#local/terminal/banner.ts';
import { chooseListeners } from '#local/terminal/choose-listeners.ts';
import { plainReason, type StartCommand } from '#local/terminal/plain-reason.ts';
import { watchForStop } from '#local/terminal/stop-signals.ts';
import { type LineWriter, writeLines } from '#local/terminal/write-lines.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import { inUrl } from '#ops/programs/framework-settings.ts';
import { announceServer, withdrawServer } from '#ops/running-server.ts';
import { type Config, configSchema } from '#pipeline/config/config.ts';
import { placeholderProblem } from '#pipeline/config/config-problems.ts';
import { fileConfigSource, fixedConfigSource, type ReportingConfigSource } from '#pipeline/config/config-source.ts';
import { createSecrets, secretFiles } from '#pipeline/config/secrets.ts';
import type { Log } from '#pipeline/contract/ports.ts';
import { configuredDns } from '#pipeline/dns/configured-dns.ts';
import { createLog } from '#pipeline/observe/log.ts';
import { createMetricsRegistry } from '#pipeline/observe/metrics.ts';
import { certificateSource } from './certificate.ts';
import { hashReplacement } from './replace-hash.ts';
import { startEmbedded } from './start-embedded.ts';
import { type Service, startService } from './start-service.ts';
import type { LocalWorld } from './world.ts';

/** Sessions and runs under way get this long when the service is told to stop. */
const graceSeconds = 20;
/** Without a file this is a safe capture server: it accepts every recipient, relays nothing, and listens on this machine alone. */
const captureConfig = configSchema.parse({ mode: 'capture' });
const secretBytes = 32;

// The reader of the output may be gone (a closed terminal, `head`): the service goes on.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const parsed = parseArguments(process.argv.slice(2), process.env);
if (isProblem(parsed)) {
  process.stderr.write(`pillarbox: ${parsed.problem}\n(--help says what there is)\n`);
  process.exitCode = 1;
} else if (parsed.help) {
  process.stdout.write(usage);
} else {
  let planned: Plan | null = null;
  try {
    planned = await plan(parsed);
    await start(planned);
  } catch (error) {
    const { listeners } = planned?.inForce ?? captureConfig;
    const failed = {
      args: parsed,
      command: startCommand(),
      listeners,
      hasFile: (planned?.configPath ?? null) !== null,
    };
    process.stderr.write(`pillarbox: ${await plainReason(error, failed)}\n`);
    process.exit(1);
  }
}

/** What is to be started: the configuration in force has the ports that the arguments name. */
type Plan = {
  readonly args: Arguments;
  readonly configPath: string | null;
  readonly config: ReportingConfigSource;
  readonly inForce: Config;
  readonly lines: LineWriter;
  readonly log: Log;
};

async function plan(args: Arguments): Promise<Plan> {
  process.umask(0o077); // mail is private: the database is readable by its owner alone
  const configPath = await findConfig(args);
  const isQuiet = configPath === null && !args.verbose;
  const lines = writeLines((text) => process.stdout.write(text));
  process.on('exit', lines.flush);
  // Without a configuration a person tries it at a terminal: problems are shown, not every message.
  const log = createLog({ write: lines.line, clock: Date.now, least: isQuiet ? 'warn' : 'info' });
  const config =
    configPath === null
      ? fixedConfigSource(captureConfig)
      : fileConfigSource({ path: configPath, clock: Date.now, log });
  const current = await config.current();
  const inForce = { ...current, listeners: chooseListeners(current.listeners, args, configPath !== null) };
  const placeholder = placeholderProblem(inForce);
  if (placeholder !== null) throw new Error(placeholder);
  if (args.anyLogin && inForce.mode !== 'capture')
    throw new Error('--any-login (PILLARBOX_ANY_LOGIN) is for capture mode: this configuration serves real mail');
  return { args, configPath, config, inForce, lines, log };
}

async function start({ args, configPath, config, inForce, lines, log }: Plan): Promise<void> {
  const clock = Date.now;
  const dataFolder = resolve(args.dataFolder);
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  await ownSecret(dataFolder, 'srs');
  const filesFolder = configPath === null ? process.cwd() : dirname(configPath);
  const secrets = createSecrets({
    named: secretFiles(join(dataFolder, 'secrets')),
    directory: filesFolder,
    environment: process.env,
    clock,
  });
  const metrics = createMetricsRegistry();
  const dns = configuredDns(config, clock, metrics);
  const shared = { config, secrets, clock, log, metrics, newMessageId: messageIdFactory() };
  const forWorld = {
    folder: dataFolder,
    filesFolder,
    environment: process.env,
    write: lines.line,
    resolve: dns.resolve,
    dnsProblem: dns.problem,
    random: Math.random,
  };
  const fail = (error: unknown): void => {
    log.error('fatal', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    leaveCrashMark(dataFolder);
    process.exit(1);
  };
  // Jobs are handed out as soon as there is a world: an error of one of them must be recorded, too.
  process.on('uncaughtException', fail);
  const world = await startWorld(args, { ...shared, ...forWorld });
  const service = await startService({
    ...shared,
    world,
    certificate: certificateSource({ config, secrets, folder: dataFolder, clock }),
    ...(configPath === null ? {} : { replaceHash: hashReplacement(configPath, log) }),
    reverseName: dns.reverseName,
    listeners: inForce.listeners,
    anyLogin: args.anyLogin,
    http: { ...args.http, token: await opsToken(args, dataFolder) },
  }).catch(async (error: unknown) => {
    await world.close(0);
    throw error;
  });
  runUntilStopped({ service, world, log, dataFolder, fail, closeDns: dns.close });
  const { listeners, ops } = service;
  const http = `http://${inUrl(ops.host)}:${ops.port}`;
  await announceServer(dataFolder, { pid: process.pid, mode: inForce.mode, listeners: [...listeners], http });
  process.stderr.write(banner({ service, config: inForce, configPath, args }));
  log.info('started', { mode: inForce.mode, world: args.world, folder: dataFolder });
}

/** The emulator with all of the AWS SDK is only loaded where it is asked for. */
async function startWorld(
  args: Arguments,
  deps: Parameters<typeof startEmbedded>[0] & {
    readonly filesFolder: string;
    readonly environment: NodeJS.ProcessEnv;
    readonly write: (line: string) => void;
  },
): Promise<LocalWorld> {
  switch (args.world) {
    case 'embedded':
      return startEmbedded(deps);
    case 'emulator': {
      const { startEmulatorWorld } = await import('#local/emulator/start-emulator.ts');
      return startEmulatorWorld({
        ...deps,
        folder: join(deps.folder, 'emulator'),
        secretsFolder: join(deps.folder, 'secrets'),
      });
    }
  }
}

/** The file that was named, or `pillarbox.json` where there is one, or null: capture. */
async function findConfig({ configPath }: Arguments): Promise<string | null> {
  if (configPath !== null) return resolve(configPath);
  const usual = resolve('pillarbox.json');
  return access(usual).then(
    () => usual,
    () => null,
  );
}

/** Loopback needs no token; elsewhere PILLARBOX_TOKEN, or one that is made once and kept in the data folder. */
async function opsToken({ http }: Arguments, dataFolder: string): Promise<string | undefined> {
  const given = process.env['PILLARBOX_TOKEN'];
  if (given !== undefined && given !== '') return given;
  if (isLoopbackHost(http.host)) return undefined;
  const token = await ownSecret(dataFolder, 'ops-token');
  process.stderr.write(`pillarbox: the API's token is in ${join(dataFolder, 'secrets', 'ops-token')}\n`);
  return token;
}

/** A secret of our own, made at the first start: the text of DIR/secrets/NAME. Rejects where the folder cannot be written. */
async function ownSecret(dataFolder: string, name: string): Promise<string> {
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

/** How it was started, for what to type instead. */
function startCommand(): StartCommand {
  const isNpm = process.env['npm_lifecycle_event'] === 'start';
  return { program: isNpm ? 'npm start --' : 'npx pillarbox', given: process.argv.slice(2) };
}

function runUntilStopped(running: {
  readonly service: Service;
  readonly world: LocalWorld;
  readonly log: Log;
  readonly dataFolder: string;
  readonly fail: (error: unknown) => void;
  readonly closeDns: () => void;
}): void {
  const { service, world, log, dataFolder, fail, closeDns } = running;
  let isStopping = false;
  const stop = async (signal: string): Promise<void> => {
    isStopping = true;
    log.info('stopping', { signal, graceSeconds });
    await service.close(graceSeconds);
    await world.close(graceSeconds);
    closeDns();
    await withdrawServer(dataFolder);
    process.exit(0);
  };
  watchForStop({
    parent: process.env['PILLARBOX_STARTED_BY'],
    stop: (signal) => void stop(signal).catch(fail),
    stopNow: () => process.exit(1),
  });
  void world.lost.then((error) => isStopping || fail(error));
}
