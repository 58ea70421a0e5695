// `npm start`: the whole service on one machine. The composition root: reads arguments and environment, builds the
// adapters, starts world, listener and ops API, and ends them in order.
import { access, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { leaveCrashMark } from '#local/embedded/folder-marks.ts';
import { type Arguments, parseArguments, usage } from '#local/terminal/arguments.ts';
import { banner } from '#local/terminal/banner.ts';
import { chooseListeners } from '#local/terminal/choose-listeners.ts';
import { plainReason, type StartCommand } from '#local/terminal/plain-reason.ts';
import { watchForStop } from '#local/terminal/stop-signals.ts';
import { type LineWriter, writeLines } from '#local/terminal/write-lines.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { isProblem } from '#mail/problem.ts';
import { ownName } from '#ops/own-name.ts';
import { inUrl } from '#ops/programs/framework-settings.ts';
import { announceServer, withdrawServer } from '#ops/running-server.ts';
import { type Config, configSchema } from '#pipeline/config/config.ts';
import { placeholderProblem } from '#pipeline/config/config-problems.ts';
import { fileConfigSource, fixedConfigSource, type ReportingConfigSource } from '#pipeline/config/config-source.ts';
import type { Log } from '#pipeline/contract/ports.ts';
import { configuredDns } from '#pipeline/dns/configured-dns.ts';
import { createLog } from '#pipeline/observe/log.ts';
import { createMetricsRegistry } from '#pipeline/observe/metrics.ts';
import { hashReplacement } from './replace-hash.ts';
import { startEmbedded } from './start-embedded.ts';
import { ownSecret, type RunningService, startLocal, type WorldDeps } from './start-local.ts';
import type { LocalWorld } from './world.ts';

/** Sessions and runs under way get this long when the service is told to stop. */
const graceSeconds = 20;
/** Without a file this is a safe capture server: it accepts every recipient, relays nothing, and listens on this machine alone. */
const captureConfig = configSchema.parse({ mode: 'capture' });

// The reader of the output may be gone (a closed terminal, `head`): the service goes on.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const self = ownName({ environment: process.env, home: join(import.meta.dirname, '..'), directory: process.cwd() });
const parsed = parseArguments(process.argv.slice(2), process.env);
if (isProblem(parsed)) {
  process.stderr.write(`pillarbox: ${parsed.problem}\n(--help says what there is)\n`);
  process.exitCode = 2; // as of any command that is wrong (docs/cli.md)
} else if (parsed.help) {
  process.stdout.write(usage(self));
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
  if (args.chaos !== null && args.chaos !== 'off' && inForce.mode !== 'capture')
    throw new Error('--chaos (PILLARBOX_CHAOS) is for capture mode: this configuration serves real mail');
  return { args, configPath, config, inForce, lines, log };
}

async function start({ args, configPath, config, inForce, lines, log }: Plan): Promise<void> {
  const dataFolder = resolve(args.dataFolder);
  const made = await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await writeFile(join(dataFolder, '.gitignore'), '*\n'); // mail has no place in an app's history
  const metrics = createMetricsRegistry();
  const dns = configuredDns(config, Date.now, metrics);
  const fail = (error: unknown): void => {
    log.error('fatal', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    leaveCrashMark(dataFolder);
    process.exit(1);
  };
  // Jobs are handed out as soon as there is a world: an error of one of them must be recorded, too.
  process.on('uncaughtException', fail);
  const running = await startLocal({
    config,
    dataFolder,
    filesFolder: configPath === null ? process.cwd() : dirname(configPath),
    environment: process.env,
    dns,
    log,
    metrics,
    startWorld: (deps) => startWorld(args, { ...deps, write: lines.line }),
    ...(configPath === null ? {} : { replaceHash: hashReplacement(configPath, log) }),
    listeners: inForce.listeners,
    anyLogin: args.anyLogin,
    chaos: args.chaos,
    keep: args.keep,
    http: { ...args.http, token: await opsToken(args, dataFolder) },
  });
  runUntilStopped({ running, log, dataFolder, fail });
  const { service } = running;
  const { listeners, ops } = service;
  const http = `http://${inUrl(ops.host)}:${ops.port}`;
  await announceServer(dataFolder, { pid: process.pid, mode: inForce.mode, listeners: [...listeners], http });
  const chaos = args.chaos ?? inForce.chaos;
  process.stderr.write(
    banner({ service, config: inForce, configPath, args, chaos: chaos === 'off' ? null : chaos, self }),
  );
  log.info('started', { mode: inForce.mode, world: args.world, folder: dataFolder });
}

/** The emulator with all of the AWS SDK is only loaded where it is asked for. */
async function startWorld(
  args: Arguments,
  deps: WorldDeps & { readonly write: (line: string) => void },
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

/** How it was started, for what to type instead. */
function startCommand(): StartCommand {
  const isNpm = process.env['npm_lifecycle_event'] === 'start';
  return { program: isNpm ? 'npm start --' : self, given: process.argv.slice(2) };
}

function runUntilStopped({
  running,
  log,
  dataFolder,
  fail,
}: {
  readonly running: RunningService;
  readonly log: Log;
  readonly dataFolder: string;
  readonly fail: (error: unknown) => void;
}): void {
  let isStopping = false;
  const stop = async (signal: string): Promise<void> => {
    isStopping = true;
    log.info('stopping', { signal, graceSeconds });
    await running.close(graceSeconds);
    await withdrawServer(dataFolder);
    process.exit(0);
  };
  watchForStop({
    parent: process.env['PILLARBOX_STARTED_BY'],
    stop: (signal) => void stop(signal).catch(fail),
    stopNow: () => process.exit(1),
  });
  void running.lost.then((error) => isStopping || fail(error));
}
