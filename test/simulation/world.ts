// One seed played from its first connection to its last job: builds the simulated world, lets it run, and hands what is left to the checker.
import { configKey } from '#pipeline/contract/keys.ts';
import {
  deadLetterQueue,
  deployedStages,
  lanesOf,
  type StageName,
  stageNames,
  stages,
} from '#pipeline/contract/stages.ts';
import type { DoorWorld } from '#test/simulation/aws/aws-door.ts';
import { composeStage, type Surroundings } from '#test/simulation/aws/composition.ts';
import { inProcessParser } from '#test/simulation/aws/in-process-parser.ts';
import { type ListenerFleet, startFleet } from '#test/simulation/aws/listener-fleet.ts';
import { type Poller, startPoller } from '#test/simulation/aws/poller.ts';
import { hiddenBy, s3Service, sqsService } from '#test/simulation/aws/services.ts';
import { createSimS3, type SimS3 } from '#test/simulation/aws/sim-s3.ts';
import { createSimSqs, type SimQueue } from '#test/simulation/aws/sim-sqs.ts';
import { createClock, type SimClock } from '#test/simulation/engine/clock.ts';
import { createProcess, currentProcess, type SimProcess } from '#test/simulation/engine/process.ts';
import { createRandom, hashOf, type Random } from '#test/simulation/engine/random.ts';
import type { Network } from '#test/simulation/engine/sockets.ts';
import { installVirtualNode } from '#test/simulation/engine/virtual-node.ts';
import { type Acknowledged, drawMessages, type SentMessage, sendMessage } from '#test/simulation/mail/client.ts';
import { servePeer, type Taken } from '#test/simulation/mail/peer.ts';
import { configOf, hosts, listenerIp } from '#test/simulation/mail/places.ts';
import { simDns } from '#test/simulation/mail/sim-dns.ts';
import { drawFaults, type Faults, isWithin } from './faults.ts';
import { type PlantedFault, plantFault } from './planted.ts';

/** Something that may have made jobs fail: when, what, and after how long at most they come back. */
export type Trouble = { readonly at: number; readonly what: string; readonly hiddenMs: number };

/** Times of a seed, in seconds. */
export type Terms = {
  readonly expireSeconds: number;
  readonly retrySeconds: readonly number[];
  readonly delayWarningSeconds: number;
};

/** What a seed left behind. */
export type Outcome = {
  readonly seed: number;
  readonly faults: Faults;
  readonly terms: Terms;
  readonly startMs: number;
  readonly endMs: number;
  /** Whether nothing is left to do; else the run was cut off on purpose, or its time was up. */
  readonly isQuiet: boolean;
  readonly isCutOff: boolean;
  readonly messages: readonly SentMessage[];
  readonly acknowledged: readonly Acknowledged[];
  readonly s3: SimS3;
  readonly queues: ReadonlyMap<string, SimQueue>;
  readonly taken: readonly Taken[];
  readonly troubles: readonly Trouble[];
  /** Queues of dead letters that have an alarm. */
  readonly watched: ReadonlySet<string>;
  /** Messages that the parser always fails on, by number. */
  readonly poison: ReadonlyMap<number, 'throws' | 'kills'>;
  readonly trace: readonly string[];
  readonly events: number;
};

/** It comes as far as each stage. */
const warmUpSeed = 12;
const firstDay = Date.UTC(2026, 10, 20);
const dayMs = 86_400_000;

let isWarm: Promise<unknown> | null = null;

/** Plays a seed. The first in a process is played after another: what is made once in a process is there for each. */
export async function playSeed(seed: number, planted: PlantedFault | null = null): Promise<Outcome> {
  isWarm ??= playOnce(warmUpSeed, null);
  await isWarm;
  return playOnce(seed, planted);
}

async function playOnce(seed: number, planted: PlantedFault | null): Promise<Outcome> {
  const random = createRandom(seed);
  const clock = createClock(firstDay + random.between(0, dayMs));
  const trace: string[] = [];
  const note = (line: string): void => {
    trace.push(`${((clock.now() - clock.startMs) / 1_000).toFixed(3)} ${line}`);
  };
  const faults = drawFaults(random.fork('faults'));
  const world = buildWorld({ seed, random, clock, note, faults, planted });
  const restore = installVirtualNode(world.node);
  try {
    return { ...(await play(world)), trace, seed };
  } finally {
    restore();
  }
}

/** What tells one trace from another. */
export function traceHash(trace: readonly string[]): string {
  const hash = trace.reduce((sum, line) => hashOf(line, sum), 0x811c9dc5);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

type Ground = {
  readonly seed: number;
  readonly random: Random;
  readonly clock: SimClock;
  readonly note: (line: string) => void;
  readonly faults: Faults;
  readonly planted: PlantedFault | null;
};

type World = Ground & {
  readonly node: Parameters<typeof installVirtualNode>[0];
  readonly s3: SimS3;
  readonly queues: ReadonlyMap<string, SimQueue>;
  readonly taken: Taken[];
  readonly troubles: Trouble[];
  readonly poison: Map<number, 'throws' | 'kills'>;
  readonly fleet: ListenerFleet;
  readonly network: Network;
  readonly mayFail: () => boolean;
  readonly trouble: (what: string, hiddenMs: number) => void;
  readonly surroundings: Surroundings;
};

function buildWorld(ground: Ground): World {
  const { random, clock, note, faults, planted } = ground;
  const troubles: Trouble[] = [];
  const poison = new Map<number, 'throws' | 'kills'>();
  const mayFail = (): boolean => clock.now() - clock.startMs < faults.endAtMs;
  const trouble = (what: string, hiddenMs: number): void => void troubles.push({ at: clock.now(), what, hiddenMs });
  const s3 = createSimS3(clock.now);
  const queues = createSimSqs({
    now: clock.now,
    random: random.fork('queues'),
    note,
    duplicate: () => (mayFail() ? faults.sqs.duplicate : 0),
    afterDelete: () => (mayFail() ? faults.sqs.afterDelete : 0),
  });
  const taken: Taken[] = [];
  const onFault: DoorWorld['onFault'] = (what, request) => trouble(what, hiddenBy(request, queues));
  const door: DoorWorld = { clock, random: random.fork('aws'), note, mayFail, onFault };
  const surroundings: Surroundings = {
    door,
    s3: s3Service(s3, faults),
    sqs: sqsService(queues, faults, door.random),
    write: () => {},
    parser: poisoned(poison),
    plant: (parts) => plantFault(planted, parts),
  };
  const fleet = startFleet({ ...ground, surroundings, mayFail, trouble });
  const peers = {
    clock,
    random: random.fork('peers'),
    note,
    faults: faults.peers,
    mayFail,
    taken,
    onFault: (what: string) => trouble(what, 0),
  };
  const network: Network = {
    clock,
    random: random.fork('network'),
    reach: ({ ip }) => {
      if (ip === listenerIp) return fleet.reach();
      const host = hosts[ip];
      if (host === undefined || host.isDead) return { outcome: 'silent' };
      const isDown = mayFail() && isWithin(faults.peers.down, clock.now() - clock.startMs);
      if (isDown) return { outcome: 'refused' };
      return { outcome: 'open', owner: null, accept: (socket) => servePeer(peers, ip, socket) };
    },
  };
  const askDns = simDns({ clock, random: random.fork('dns'), note, faults, mayFail, trouble });
  const node = { clock, random: random.fork('node'), network, bind: fleet.bind, askDns };
  return { ...ground, node, s3, queues, taken, troubles, poison, fleet, network, mayFail, trouble, surroundings };
}

/** A bug of ours that only some messages meet, whatever is tried: it throws, or takes the whole process down. */
function poisoned(poison: ReadonlyMap<number, 'throws' | 'kills'>): Surroundings['parser'] {
  return {
    parse: async (request) => {
      const parsed = await inProcessParser.parse(request);
      const n = Number(/^message (\d+)$/.exec(parsed.head?.subject ?? '')?.[1] ?? -1);
      const how = poison.get(n);
      if (how === 'throws') throw new Error('a bug that this message meets');
      if (how === undefined) return parsed;
      currentProcess()?.kill();
      return new Promise(() => {});
    },
  };
}

const minuteMs = 60_000;

async function play(world: World): Promise<Omit<Outcome, 'trace' | 'seed'>> {
  const { random, clock, faults, s3, queues, fleet, poison, taken, troubles, planted } = world;
  const terms = drawTerms(random.fork('terms'));
  s3.seed(configKey, JSON.stringify(configOf({ ...terms, retrySeconds: [...terms.retrySeconds] })));
  const plan = random.fork('plan');
  const messages = drawMessages(plan, plan.pick([1, 1, 1, 2, 2, 3, 6]), plan.pick([1_000, minuteMs, 3 * minuteMs]));
  for (const { n } of messages) if (plan.chance(0.05)) poison.set(n, plan.pick(['throws', 'kills']));
  const cutAtMs = plan.chance(0.15) ? plan.between(1_000, 4 * 3_600_000) : null;
  const acknowledged: Acknowledged[] = [];
  const clients = { ...world, random: random.fork('clients'), faults: faults.client, acknowledged };
  let areDone = false;
  void Promise.all(messages.map((message) => sendMessage(clients, message))).then(() => {
    areDone = true;
    fleet.close();
  });
  const pollers = deployedStages({ hooks: false }).flatMap(({ name }) => startPollers(world, name));
  const isQuiet = (): boolean =>
    areDone && fleet.isClosed() && pollers.every((poller) => !poller.isBusy()) && allEmpty(queues);
  const longestMs = faults.endAtMs + terms.expireSeconds * 1_000 + 2 * dayMs;
  // What stood still may go on after all others are done.
  const lastThaw = clock.startMs + faults.endAtMs + faults.functions.longestFreezeMs;
  await clock.run(clock.startMs + (cutAtMs ?? longestMs), () => clock.now() > lastThaw && isQuiet());
  const watched = new Set(
    stageNames.flatMap((name) => lanesOf(stages[name])).map(({ consumes }) => deadLetterQueue(consumes)),
  );
  if (planted === 'unwatched-dead-letters') watched.clear();
  return {
    faults,
    terms,
    startMs: clock.startMs,
    endMs: clock.now(),
    isQuiet: isQuiet(),
    isCutOff: cutAtMs !== null,
    messages,
    acknowledged,
    s3,
    queues,
    taken,
    troubles,
    watched,
    poison,
    events: clock.events(),
  };
}

function startPollers(world: World, name: StageName): Poller[] {
  const { clock, random, note, faults, queues, mayFail, trouble, surroundings, planted } = world;
  let count = 0;
  const startSandbox = () => {
    count += 1;
    const skewMs = random.between(-faults.skewMs, faults.skewMs);
    const process: SimProcess = createProcess({ ...clock, note, trouble }, `${name}-${count}`, skewMs);
    let handler: ReturnType<typeof composeStage> = () => Promise.reject(new Error('not started'));
    process.enter(() => {
      handler = composeStage(surroundings, name);
    });
    return { process, handler };
  };
  const deletesFirst = planted === 'delete-first';
  return lanesOf(stages[name]).map((lane) =>
    startPoller(
      {
        clock,
        random: random.fork(`poller ${lane.consumes}`),
        note,
        faults,
        mayFail,
        trouble,
        startSandbox,
        deletesFirst,
      },
      queues.get(lane.consumes)!,
      lane,
    ),
  );
}

function drawTerms(random: Random): Terms {
  const [expireSeconds, delayWarningSeconds] = random.pick([
    [7_200, 1_800],
    [7_200, 1_800],
    [21_600, 7_200],
    [43_200, 14_400],
  ] as const);
  const isLong = random.chance(0.005);
  const retrySeconds = random.pick([
    [300, 600, 1_200, 2_400, 3_600, 7_200, 14_400],
    [60, 300, 900],
  ]);
  return isLong
    ? { expireSeconds: 432_000, delayWarningSeconds: 14_400, retrySeconds }
    : { expireSeconds, delayWarningSeconds, retrySeconds };
}

function allEmpty(queues: ReadonlyMap<string, SimQueue>): boolean {
  for (const { name, messages } of queues.values()) if (!name.endsWith('-dead') && messages.size > 0) return false;
  return true;
}
