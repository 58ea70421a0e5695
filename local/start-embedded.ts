// Starts the embedded world: opens the store, runs the stages over it, and deletes old mail.
import { createPolicyFetch } from '#functions/deliver/hosts/fetch-policy.ts';
import { createConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import { systemLookUp } from '#functions/notify/find-addresses.ts';
import { notify } from '#functions/notify/notify.ts';
import { parse } from '#functions/parse/parse.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import { removeStaleStaging } from '#local/backup/snapshot.ts';
import { type EmbeddedWorld, openEmbedded } from '#local/embedded/open-embedded.ts';
import { openPrograms } from '#local/hooks/open-programs.ts';
import { runStages } from '#local/run/run-stages.ts';
import { yieldToIntake } from '#local/run/yield-to-intake.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import type { Clock, Log, Metrics, Resolve, Secrets } from '#pipeline/contract/ports.ts';
import { startRetention } from './retention.ts';
import type { LocalWorld } from './world.ts';

export type StartEmbeddedDeps = {
  readonly folder: string;
  /** Where programs of hooks are run; left out: in `folder`. */
  readonly filesFolder?: string;
  /** What programs of hooks get a few variables of. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  readonly resolve: Resolve;
  readonly dnsProblem?: (sinceMs?: number) => Promise<string | null>;
  readonly newMessageId: (nowMs: number) => MessageId;
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/**
 * The stages with the most libraries are loaded for their first job: a server of a test is there in two thirds of the time, and never
 * sends anything on.
 */
const judging = () => import('#functions/authenticate/authenticate.ts');
const sendingOn = () => import('#functions/deliver/deliver.ts');

/** Opens the folder and starts the stages. Rejects where the folder is in use, or cannot be written. */
export async function startEmbedded(deps: StartEmbeddedDeps): Promise<LocalWorld> {
  const { folder, clock, log, metrics, config } = deps;
  const embedded = await openEmbedded({ folder, clock });
  const { store, jobs, source, bodies } = embedded;
  logDamaged(bodies, log);
  await removeStaleStaging(folder);
  const { intake, whenQuiet } = yieldToIntake(embedded.intake);
  const parser = createParser();
  const connections = createConnectionPool();
  const sending = { connections, memory: createWorkerMemory(), fetchPolicy: createPolicyFetch() };
  // No other process works on this folder, so jobs of a killed one are taken up at once.
  const stageDeps = { ...deps, store, jobs, intake, parser, ...sending, soleWorker: true };
  const calling = { lookUp: systemLookUp, reach: { loopback: true, private: true }, linkTo: null };
  const programs = openPrograms({ directory: deps.filesFolder ?? folder, environment: deps.environment ?? {}, store });
  const running = runStages({
    source,
    runs: {
      received: async (job, handout) => (await judging()).authenticate({ ...stageDeps, lane: 'fast' }, job, handout),
      'received-slow': async (job, handout) =>
        (await judging()).authenticate({ ...stageDeps, lane: 'slow' }, job, handout),
      parse: (job, handout) => parse(stageDeps, job, handout),
      deliver: async (job, handout) => (await sendingOn()).deliver(stageDeps, job, handout),
      notify: (job, handout) => notify({ ...stageDeps, ...calling, programs }, job, handout),
    },
    config,
    random: deps.random,
    whenQuiet,
    clock,
    log,
    metrics,
  });
  const stopRetention = startRetention({ sweep: embedded.sweep, shrink: embedded.shrink, config, clock, log });
  return {
    store,
    jobs,
    intake,
    admin: embedded.admin,
    lost: embedded.lost,
    problems: () => damagedProblems(bodies),
    details: async () => ({ world: 'embedded', folder, store: await embedded.statistics() }),
    close: async (graceSeconds) => {
      stopRetention();
      await running.stop(graceSeconds);
      programs.close();
      await Promise.all([parser.close(), connections.close()]);
      await embedded.close();
    },
  };
}

type Found = EmbeddedWorld['bodies'];

const loggedAtMost = 1_000;

/** Names each damaged body in the log, up to a thousand, and then how many there are. */
function logDamaged({ files, damaged, orphans }: Found, log: Pick<Log, 'error'>): void {
  for (const { key, file, damage, what } of damaged.slice(0, loggedAtMost)) {
    log.error('body-damaged', { key, file: `bodies/${file}`, damage, what });
  }
  if (damaged.length === 0) return;
  log.error('bodies-damaged', {
    damaged: damaged.length,
    files,
    withoutObject: orphans,
    advice: 'a copy made of a running service by other means than the command backup is not whole',
  });
}

/** A sentence for `/health`, or none. */
function damagedProblems({ files, damaged }: Found): readonly string[] {
  if (damaged.length === 0) return [];
  return [
    `${damaged.length} of ${files} stored bodies that are files are missing or damaged: see the log (body-damaged), and restore a backup`,
  ];
}
