// Many sandboxes of deliver and one mail host, under simulated AWS: mail for the host is on the queue, and what matters is how many
// connections to it are open at a time. A sandbox that was killed has none; one that stands still keeps its own.
import { createHash } from 'node:crypto';
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { configKey, rawKey } from '#pipeline/contract/keys.ts';
import { type DeliveryState, deliveryStateSchema } from '#pipeline/contract/records/delivery.ts';
import { stages } from '#pipeline/contract/stages.ts';
import type { DoorWorld } from '#test/simulation/aws/aws-door.ts';
import { composeStage } from '#test/simulation/aws/composition.ts';
import { inProcessParser } from '#test/simulation/aws/in-process-parser.ts';
import { type Sandbox, startPoller } from '#test/simulation/aws/poller.ts';
import { s3Service, sqsService } from '#test/simulation/aws/services.ts';
import { createSimS3, type SimS3 } from '#test/simulation/aws/sim-s3.ts';
import { createSimSqs, type SimQueue } from '#test/simulation/aws/sim-sqs.ts';
import { createClock, type SimClock } from '#test/simulation/engine/clock.ts';
import { createProcess, type SimProcess } from '#test/simulation/engine/process.ts';
import { createRandom, type Random } from '#test/simulation/engine/random.ts';
import type { Network, SimSocket } from '#test/simulation/engine/sockets.ts';
import { installVirtualNode } from '#test/simulation/engine/virtual-node.ts';
import { servePeer, type Taken } from '#test/simulation/mail/peer.ts';
import { configOf } from '#test/simulation/mail/places.ts';
import { simDns } from '#test/simulation/mail/sim-dns.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';
import type { Faults, FaultyWorld } from './faults.ts';

/** `faults` end when they say so; until then sandboxes are killed and stand still, and S3 and SQS refuse. */
export type Fleet = {
  readonly seed: number;
  readonly jobs: number;
  readonly sandboxes: number;
  readonly faults: Faults;
};

/** What was seen. `left`, `dead`: jobs on the queue and among the dead letters at the end; `leases`: requests for them. */
export type Seen = {
  readonly mostOpen: number;
  readonly sandboxes: number;
  readonly killed: number;
  readonly stoodStill: number;
  readonly taken: number;
  readonly states: readonly DeliveryState[];
  readonly left: number;
  readonly dead: number;
  readonly tookMs: number;
  readonly leases: { readonly reads: number; readonly writes: number };
};

type World = FaultyWorld & {
  readonly fleet: Fleet;
  readonly network: Network;
  readonly host: Host;
  readonly s3: SimS3;
};

const domain = 'near.example';
const startMs = Date.UTC(2026, 10, 26, 12);
const longestMs = 172_800_000;

/** Puts all mail on the queue at once, and runs until none is left there, or for two days. */
export async function playFleet(fleet: Fleet): Promise<Seen> {
  const { seed, faults } = fleet;
  const random = createRandom(seed);
  const clock = createClock(startMs);
  const mayFail = (): boolean => clock.now() - startMs < faults.endAtMs;
  const faulty = { clock, faults, mayFail, note: () => {}, trouble: () => {} };
  const host = serveHost({ ...faulty, random: random.fork('host') });
  const network = { clock, random: random.fork('network'), reach: host.reach };
  const world: World = { ...faulty, random, fleet, network, host, s3: createSimS3(clock.now) };
  const askDns = simDns({ ...faulty, random: random.fork('dns') });
  const restore = installVirtualNode({ clock, random: random.fork('node'), network, bind: () => {}, askDns });
  try {
    return await play(world);
  } finally {
    restore();
  }
}

async function play(world: World): Promise<Seen> {
  const { fleet, clock, random, host, s3 } = world;
  const queues = createSimSqs({ now: clock.now, random: random.fork('queues'), note: world.note, ...noDuplicates });
  const queue = queues.get('deliver')!;
  s3.seed(configKey, JSON.stringify(configOf({})));
  for (const job of mailFor(s3, fleet.jobs)) {
    queue.send({ body: JSON.stringify(job), group: undefined, attributes: {}, delaySeconds: 0 });
  }
  const leases = { reads: 0, writes: 0 };
  const processes: SimProcess[] = [];
  const startSandbox = sandboxesOf(world, { queues, leases, processes });
  const polling = { ...world, random: random.fork('poller'), startSandbox, deletesFirst: false };
  const poller = startPoller({ ...polling, batchesAtOnce: fleet.sandboxes }, queue, stages.deliver);
  queue.onChange();
  await clock.run(startMs + longestMs, () => queue.messages.size === 0 && !poller.isBusy());
  const states = [...s3.objects].filter(([key]) => key.startsWith('deliveries/'));
  return {
    mostOpen: host.mostOpen(),
    sandboxes: processes.length,
    killed: processes.filter((process) => !process.isAlive()).length,
    stoodStill: processes.reduce((sum, { troubles }) => sum + troubles.length, 0),
    taken: host.taken.length,
    states: states.map(([, { bytes }]) => deliveryStateSchema.parse(JSON.parse(bytes.toString('utf8')))),
    left: queue.messages.size,
    dead: queues.get('deliver-dead')!.messages.size,
    tookMs: clock.now() - startMs,
    leases,
  };
}

const noDuplicates = { duplicate: () => 0, afterDelete: () => 0 };

type Counted = {
  readonly queues: ReadonlyMap<string, SimQueue>;
  readonly leases: { reads: number; writes: number };
  readonly processes: SimProcess[];
};

function sandboxesOf(world: World, { queues, leases, processes }: Counted): () => Sandbox {
  const { clock, random, note, mayFail, trouble, faults, s3 } = world;
  const door: DoorWorld = { clock, random: random.fork('aws'), note, mayFail, onFault: () => {} };
  const bucket = s3Service(s3, faults);
  const counting: typeof bucket.answer = (request, process) => {
    if (request.path.includes('connections')) leases[request.method === 'PUT' ? 'writes' : 'reads'] += 1;
    return bucket.answer(request, process);
  };
  const surroundings = {
    door,
    s3: { ...bucket, answer: counting },
    sqs: sqsService(queues, faults, random.fork('sqs')),
    write: () => {},
    parser: inProcessParser,
    plant: <Parts>(parts: Parts): Parts => parts,
  };
  return () => {
    const skewMs = random.between(-faults.skewMs, faults.skewMs);
    const process = createProcess({ ...clock, note, trouble }, `deliver-${processes.length + 1}`, skewMs);
    processes.push(process);
    let handler: Sandbox['handler'] = () => Promise.reject(new Error('not started'));
    process.enter(() => {
      handler = composeStage(surroundings, 'deliver');
    });
    return { process, handler };
  };
}

type Host = { readonly reach: Network['reach']; readonly taken: Taken[]; readonly mostOpen: () => number };

/** The domain's only host; it counts the connections that a process has open, not those that a killed one left. */
function serveHost(world: FaultyWorld & { readonly clock: SimClock; readonly random: Random }): Host {
  const taken: Taken[] = [];
  const sockets = new Set<SimSocket>();
  let most = 0;
  const peer = { ...world, faults: world.faults.peers, onFault: () => {}, taken };
  const accept = (socket: SimSocket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    most = Math.max(most, [...sockets].filter(isOpen).length);
    servePeer(peer, `mx.${domain}`, socket);
  };
  return { taken, mostOpen: () => most, reach: () => ({ outcome: 'open', owner: null, accept }) };
}

function isOpen({ other }: SimSocket): boolean {
  return other !== null && !other.destroyed && other.owner?.isAlive() === true;
}

function mailFor(s3: SimS3, count: number): DeliverJob[] {
  const newId = messageIdFactory();
  const receivedAt = new Date(startMs).toISOString();
  return Array.from({ length: count }, (_, n) => {
    const id = newId(startMs);
    const text = `From: <app@mail.example>\r\nTo: <b@${domain}>\r\nSubject: message ${n}\r\n\r\nHello.\r\n`;
    const key = rawKey({ id, receivedAt });
    s3.seed(key, text);
    const raw = { key, bytes: text.length, sha256: createHash('sha256').update(text).digest('hex') };
    return sampleDeliverJob({ id, receivedAt, raw, domain, expiresAt: new Date(startMs + 432_000_000).toISOString() });
  });
}
